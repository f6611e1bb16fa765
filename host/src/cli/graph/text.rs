//! A graph as text: a line for each member, level by level.

use std::fmt::Write;

use super::layout::Graph;

pub(super) fn draw(graph: &Graph) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        let is_first = at == 0 || graph.nodes[at - 1].level < node.level;
        let level = if is_first { (node.level + 1).to_string() } else { String::new() };
        let health = node.health.as_ref().map(|health| format!(" ({health})")).unwrap_or_default();
        let before = graph.before(at).map(|edge| {
            let condition = serde_json::to_value(edge.condition).unwrap_or_default();
            format!("{} {}", graph.nodes[edge.from].process, condition.as_str().unwrap_or_default())
        });
        let before = before.collect::<Vec<_>>().join(", ");
        let after = if before.is_empty() { String::new() } else { format!("after {before}") };
        let why = node.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        rows.push([level, node.process.clone(), after, format!("{}{health}{why}", node.status.as_str())]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 3] = std::array::from_fn(width);
    let mut out = format!("{} {} ({})\n", graph.name, graph.status, graph.health);
    for [level, process, after, status] in &rows {
        let [l, p, a] = widths;
        let line = format!("{level:>l$}  {process:<p$}  {after:<a$}  {status}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::shop;

    #[test]
    fn a_line_for_each_member() {
        let text = super::draw(&shop());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("shop degraded (unhealthy)", 7), "{text}");
        let line = |name: &str| lines.iter().find(|line| line.contains(&format!("  {name}  "))).copied();
        let web = line("web").unwrap_or_default();
        assert!(
            web.starts_with("4  ") && web.contains("cache started") && web.contains("api ready"),
            "{text}"
        );
        assert!(web.ends_with("waiting: waits for `api` to be ready"), "{text}");
        assert!(lines.iter().any(|line| line.ends_with("running (healthy)")), "{text}");
    }
}

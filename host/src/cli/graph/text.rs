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
        insta::assert_snapshot!(super::draw(&shop()));
    }
}

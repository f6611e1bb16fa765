//! A graph as a picture: from left to right, each member on the level behind all that it waits for.

use std::fmt::Write;

use hostler_api::groups::MemberStatus;

use super::layout::{Edge, Graph};

/// Of a character of the font, on the safe side.
const CHARACTER: f64 = 8.4;
const NODE_HEIGHT: f64 = 48.0;
/// Between nodes of a level.
const ROW_GAP: f64 = 26.0;
/// Between levels; the conditions stand there.
const COLUMN_GAP: f64 = 120.0;
const MARGIN: f64 = 28.0;
/// Above the nodes: name and state of the group.
const HEAD: f64 = 44.0;
/// Below them: what the colours mean.
const FOOT: f64 = 40.0;
/// A name is cut here; the title of its node has it whole.
const NAME_CHARACTERS: usize = 28;

/// Where things are.
struct Places {
    width: f64,
    height: f64,
    /// Left edge, top edge and width of each node.
    boxes: Vec<(f64, f64, f64)>,
}

pub(super) fn draw(graph: &Graph) -> String {
    let places = places(graph);
    let (width, height) = (places.width, places.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, Menlo, 'DejaVu Sans Mono', monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0 L8 4 L0 8 z\" fill=\"#64748b\"/></marker></defs>\n"
    );
    let _ = writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{:.0}\" font-size=\"16\" font-weight=\"bold\" fill=\"#0f172a\">{}<tspan dx=\"12\" \
         font-size=\"13\" font-weight=\"normal\" fill=\"#475569\">{}, {}</tspan></text>",
        MARGIN + 4.0,
        escaped(&graph.name),
        escaped(&graph.status),
        escaped(&graph.health)
    );
    graph.edges.iter().for_each(|edge| draw_edge(&mut out, graph, &places, edge));
    // Above all edges.
    graph.edges.iter().for_each(|edge| draw_condition(&mut out, graph, &places, edge));
    (0..graph.nodes.len()).for_each(|at| draw_node(&mut out, graph, &places, at));
    draw_legend(&mut out, graph, height);
    out.push_str("</svg>\n");
    out
}

fn places(graph: &Graph) -> Places {
    let depth = graph.depth();
    let on_level = |level: usize| {
        graph
            .nodes
            .iter()
            .enumerate()
            .filter(move |(_, n)| n.level == level)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let tallest = (0..depth).map(|level| on_level(level).len()).max().unwrap_or(0) as f64;
    let room = (tallest * (NODE_HEIGHT + ROW_GAP) - ROW_GAP).max(0.0);
    let mut boxes = vec![(0.0, 0.0, 0.0); graph.nodes.len()];
    let mut x = MARGIN;
    for level in 0..depth {
        let nodes = on_level(level);
        let width = nodes.iter().map(|at| node_width(graph, *at)).fold(0.0, f64::max);
        let height = nodes.len() as f64 * (NODE_HEIGHT + ROW_GAP) - ROW_GAP;
        let top = HEAD + MARGIN + (room - height) / 2.0;
        for (row, at) in nodes.iter().enumerate() {
            boxes[*at] = (x, top + row as f64 * (NODE_HEIGHT + ROW_GAP), width);
        }
        x += width + COLUMN_GAP;
    }
    let legend = MARGIN * 2.0 + LEGEND.len() as f64 * LEGEND_STEP;
    let width = (x - COLUMN_GAP + MARGIN).max(legend);
    Places { width, height: HEAD + MARGIN + room + MARGIN + FOOT, boxes }
}

fn node_width(graph: &Graph, at: usize) -> f64 {
    let node = &graph.nodes[at];
    let longest = shown(&node.process).chars().count().max(state(graph, at).chars().count());
    longest as f64 * CHARACTER + 44.0
}

fn state(graph: &Graph, at: usize) -> String {
    let node = &graph.nodes[at];
    match &node.health {
        Some(health) => format!("{}, {health}", node.status.as_str()),
        None => node.status.as_str().to_owned(),
    }
}

fn shown(name: &str) -> String {
    if name.chars().count() <= NAME_CHARACTERS {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARACTERS - 1).chain(['…']).collect()
}

/// Ends of an edge. Those that meet in a node do so at different heights.
fn ends(places: &Places, graph: &Graph, edge: &Edge) -> ((f64, f64), (f64, f64)) {
    let spread = |mut others: Vec<usize>, own: usize, height: f64| {
        others.sort_by(|a, b| places.boxes[*a].1.total_cmp(&places.boxes[*b].1));
        let at = others.iter().position(|other| *other == own).unwrap_or(0);
        height * (at as f64 + 1.0) / (others.len() as f64 + 1.0)
    };
    let out = graph.edges.iter().filter(|e| e.from == edge.from).map(|e| e.to).collect();
    let into = graph.edges.iter().filter(|e| e.to == edge.to).map(|e| e.from).collect();
    let (from, to) = (places.boxes[edge.from], places.boxes[edge.to]);
    let begin = (from.0 + from.2, from.1 + spread(out, edge.to, NODE_HEIGHT));
    (begin, (to.0 - 2.0, to.1 + spread(into, edge.from, NODE_HEIGHT)))
}

fn draw_edge(out: &mut String, graph: &Graph, places: &Places, edge: &Edge) {
    let ((x1, y1), (x2, y2)) = ends(places, graph, edge);
    let reached = graph.nodes[edge.to].status;
    let dashes = match reached {
        MemberStatus::Waiting | MemberStatus::Blocked => " stroke-dasharray=\"5 4\"",
        _ => "",
    };
    let mut path = format!("M{x1:.1} {y1:.1}");
    let (mut x, mut y) = (x1, y1);
    for (left, right, way) in passages(graph, places, edge, (y1, y2)) {
        bend(&mut path, (x, y), (left, way));
        let _ = write!(path, " H{right:.1}");
        (x, y) = (right, way);
    }
    bend(&mut path, (x, y), (x2, y2));
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#64748b\" stroke-width=\"1.4\"{dashes} marker-end=\"url(#arrow)\"/>"
    );
}

fn bend(path: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let half = (x2 - x1) / 2.0;
    let _ = write!(path, " C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + half, x2 - half);
}

/// Where an edge passes by the nodes of the levels between its ends: left and right edge of the level, and the height of
/// the gap that is nearest to the straight way.
fn passages(
    graph: &Graph,
    places: &Places,
    edge: &Edge,
    (y1, y2): (f64, f64),
) -> impl Iterator<Item = (f64, f64, f64)> {
    let (first, last) = (graph.nodes[edge.from].level, graph.nodes[edge.to].level);
    (first + 1..last).filter_map(move |level| {
        let on_level = graph.nodes.iter().zip(&places.boxes).filter(|(node, _)| node.level == level);
        let boxes: Vec<_> = on_level.map(|(_, place)| *place).collect();
        let straight = y1 + (y2 - y1) * (level - first) as f64 / (last - first) as f64;
        let gaps =
            boxes.iter().flat_map(|(_, top, _)| [top - ROW_GAP / 2.0, top + NODE_HEIGHT + ROW_GAP / 2.0]);
        let way = gaps.min_by(|a, b| (a - straight).abs().total_cmp(&(b - straight).abs()))?;
        let (left, _, width) = *boxes.first()?;
        Some((left, left + width, way))
    })
}

/// Where an edge arrives, so that it is clear whose it is.
fn draw_condition(out: &mut String, graph: &Graph, places: &Places, edge: &Edge) {
    let (_, (x, y)) = ends(places, graph, edge);
    let condition = serde_json::to_value(edge.condition).unwrap_or_default();
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"end\" fill=\"#334155\" stroke=\"#ffffff\" \
         stroke-width=\"4\" paint-order=\"stroke\">{}</text>",
        x - 10.0,
        y - 4.0,
        condition.as_str().unwrap_or_default()
    );
}

fn draw_node(out: &mut String, graph: &Graph, places: &Places, at: usize) {
    let (x, y, width) = places.boxes[at];
    let node = &graph.nodes[at];
    let (fill, stroke) = colours(node.status);
    let why = node.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let title = format!("{} is {}{why}", node.process, state(graph, at));
    let _ = writeln!(
        out,
        "<g><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{NODE_HEIGHT}\" rx=\"8\" \
         fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.5\"/>\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{stroke}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" fill=\"#0f172a\">{}</text>\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" fill=\"#475569\">{}</text></g>",
        escaped(&title),
        x + 16.0,
        y + NODE_HEIGHT / 2.0,
        x + 30.0,
        y + 20.0,
        escaped(&shown(&node.process)),
        x + 30.0,
        y + 37.0,
        escaped(&state(graph, at))
    );
}

const LEGEND: [(&str, MemberStatus); 5] = [
    ("running", MemberStatus::Running),
    ("on its way", MemberStatus::Starting),
    ("waiting", MemberStatus::Waiting),
    ("failed", MemberStatus::Failed),
    ("at rest", MemberStatus::Stopped),
];
const LEGEND_STEP: f64 = 118.0;

fn draw_legend(out: &mut String, graph: &Graph, height: f64) {
    if graph.nodes.is_empty() {
        return;
    }
    for (at, (text, status)) in LEGEND.iter().enumerate() {
        let x = MARGIN + at as f64 * LEGEND_STEP;
        let y = height - MARGIN + 4.0;
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12\" \
             fill=\"#475569\">{text}</text>",
            x + 5.0,
            y - 4.0,
            colours(*status).1,
            x + 16.0
        );
    }
}

/// Inside and rim.
fn colours(status: MemberStatus) -> (&'static str, &'static str) {
    match status {
        MemberStatus::Running => ("#ecfdf5", "#059669"),
        MemberStatus::Starting | MemberStatus::Stopping | MemberStatus::Backoff => ("#fffbeb", "#d97706"),
        MemberStatus::Waiting | MemberStatus::Blocked => ("#eff6ff", "#3b82f6"),
        MemberStatus::Failed => ("#fef2f2", "#dc2626"),
        MemberStatus::Stopped | MemberStatus::Scheduled | MemberStatus::Exited => ("#f8fafc", "#94a3b8"),
    }
}

/// As the text of an element.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML has no way to write them.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::shop;

    #[test]
    fn a_picture_has_every_member_and_every_edge() {
        let (graph, picture) = (shop(), super::draw(&shop()));
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
        // The background is one as well.
        assert_eq!(picture.matches("<rect ").count(), graph.nodes.len() + 1);
        assert_eq!(picture.matches("marker-end=").count(), graph.edges.len());
        assert!(picture.contains("worker &lt;&amp;&gt; is failed: exit code 3"), "{picture}");
        assert!(picture.contains("stroke-dasharray") && !picture.contains("NaN"), "{picture}");
    }

    #[test]
    fn nothing_lies_over_anything_else() {
        let places = super::places(&shop());
        for (at, (x, y, width)) in places.boxes.iter().enumerate() {
            assert!(*x > 0.0 && x + width < places.width && y + super::NODE_HEIGHT < places.height);
            let apart = |(ox, oy, ow): &(f64, f64, f64)| {
                x + width <= *ox
                    || ox + ow <= *x
                    || y + super::NODE_HEIGHT <= *oy
                    || oy + super::NODE_HEIGHT <= *y
            };
            assert!(places.boxes[at + 1..].iter().all(apart), "{:?}", places.boxes);
        }
    }

    #[test]
    fn edges_pass_between_the_nodes() {
        let (graph, places) = (shop(), super::places(&shop()));
        let mut passed = 0;
        for edge in &graph.edges {
            let ((_, y1), (_, y2)) = super::ends(&places, &graph, edge);
            for (left, _, way) in super::passages(&graph, &places, edge, (y1, y2)) {
                passed += 1;
                let column = places.boxes.iter().filter(|(x, ..)| *x == left);
                assert!(
                    column.clone().all(|(_, top, _)| way < *top || way > top + super::NODE_HEIGHT),
                    "{way}"
                );
            }
        }
        assert!(passed > 0, "no edge passes a level");
    }
}

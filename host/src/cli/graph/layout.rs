//! A group as a graph: on which level each member stands, and in which order.

use hostler_api::groups::{GroupView, MemberStatus};
use hostler_model::groups::Condition;
use serde::Serialize;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Graph {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) health: String,
    /// Level by level, on each in an order in which few edges cross.
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Node {
    pub(super) process: String,
    pub(super) status: MemberStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    /// From 0: one more than the deepest that it depends on.
    pub(super) level: usize,
}

/// What a member waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Edge {
    /// The dependency, as its place among the nodes.
    pub(super) from: usize,
    /// The dependent.
    pub(super) to: usize,
    /// What the dependency must be.
    pub(super) condition: Condition,
}

/// Sweeps in which the order is made better; it hardly changes after a few.
const SWEEPS: usize = 8;

impl Graph {
    pub(super) fn of(group: &GroupView) -> Self {
        let members = &group.members;
        let place = |name: &str| members.iter().position(|m| m.process == name);
        let mut edges = Vec::new();
        for (to, member) in members.iter().enumerate() {
            for on in &member.depends_on {
                let condition = member.conditions.get(on).copied().or(member.condition).unwrap_or_default();
                edges.extend(place(on).map(|from| Edge { from, to, condition }));
            }
        }
        let levels = levels(members.len(), &edges);
        let order = order(&levels, &edges);
        let moved = |old: usize| order.iter().position(|at| *at == old).unwrap_or(old);
        let nodes = order.iter().map(|at| {
            let m = &members[*at];
            let (process, health, why) = (m.process.clone(), m.health.clone(), m.why.clone());
            Node { process, status: m.status, health, why, pid: m.pid, level: levels[*at] }
        });
        let nodes = nodes.collect();
        for edge in &mut edges {
            (edge.from, edge.to) = (moved(edge.from), moved(edge.to));
        }
        edges.sort_by_key(|edge| (edge.to, edge.from));
        let (name, status, health) = (group.name.clone(), group.status.clone(), group.health.clone());
        Self { name, status, health, nodes, edges }
    }

    /// What a node waits for.
    pub(super) fn before(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.to == node)
    }

    /// How many levels there are.
    pub(super) fn depth(&self) -> usize {
        self.nodes.iter().map(|node| node.level + 1).max().unwrap_or(0)
    }
}

/// The longest way to each node. Groups have no cycles; one would end here after as many rounds as there are nodes.
fn levels(count: usize, edges: &[Edge]) -> Vec<usize> {
    let mut levels = vec![0; count];
    for _ in 0..count {
        for edge in edges {
            levels[edge.to] = levels[edge.to].max((levels[edge.from] + 1).min(count));
        }
    }
    levels
}

/// The nodes by level, and on each by where those stand that they are tied to, so that few edges cross.
fn order(levels: &[usize], edges: &[Edge]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by_key(|node| levels[*node]);
    for sweep in 0..SWEEPS {
        // Where a node stands on its level, from 0 to 1, so that levels of different length compare.
        let mut places = vec![0.0; levels.len()];
        for node in &order {
            let level: Vec<&usize> = order.iter().filter(|n| levels[**n] == levels[*node]).collect();
            let at = level.iter().position(|n| *n == node).unwrap_or(0);
            places[*node] = (at as f64 + 0.5) / level.len() as f64;
        }
        let wanted = |node: usize| {
            let before = edges.iter().filter(|e| e.to == node).map(|e| places[e.from]);
            let after = edges.iter().filter(|e| e.from == node).map(|e| places[e.to]);
            let tied: Vec<f64> = if sweep % 2 == 0 { before.collect() } else { after.collect() };
            if tied.is_empty() { places[node] } else { tied.iter().sum::<f64>() / tied.len() as f64 }
        };
        order.sort_by(|a, b| levels[*a].cmp(&levels[*b]).then(wanted(*a).total_cmp(&wanted(*b))));
    }
    order
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The shop: two roots, a job, three services, one of which failed.
    pub(in crate::cli::graph) fn shop() -> Graph {
        let view = serde_json::json!({
            "name": "shop", "project": "shop", "status": "degraded", "health": "unhealthy", "stop_strategy": "reverse",
            "members": [
                {"process": "web", "status": "waiting", "why": "waits for `api` to be ready", "depends_on": ["api", "cache"],
                 "conditions": {"api": "ready", "cache": "started"}},
                {"process": "db", "status": "running", "pid": 7, "health": "healthy"},
                {"process": "cache", "status": "running", "pid": 8},
                {"process": "migrate", "status": "exited", "depends_on": ["db"], "condition": "healthy"},
                {"process": "api", "status": "starting", "depends_on": ["migrate", "cache"],
                 "conditions": {"migrate": "completed", "cache": "ready"}},
                {"process": "worker <&>", "status": "failed", "why": "exit code 3", "depends_on": ["migrate"], "condition": "completed"},
            ],
        });
        Graph::of(&serde_json::from_value(view).unwrap())
    }

    #[test]
    fn each_stands_behind_all_that_it_waits_for() {
        let graph = shop();
        assert!(graph.edges.iter().all(|e| graph.nodes[e.from].level < graph.nodes[e.to].level));
        let levels: Vec<(&str, usize)> = graph.nodes.iter().map(|n| (n.process.as_str(), n.level)).collect();
        assert_eq!(
            levels.iter().map(|(_, level)| *level).collect::<Vec<_>>(),
            [0, 0, 1, 2, 2, 3],
            "{levels:?}"
        );
        assert_eq!((levels[5].0, graph.edges.len(), graph.depth()), ("web", 6, 4));
    }
}

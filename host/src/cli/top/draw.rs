//! The live view on the terminal.

use hostler_api::view::{ProcessView, Status};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table, TableState};

use super::state::State;
use crate::cli::render::{bytes, duration};

const KEYS: &str = "↑↓ select   s start   x stop   r restart   q quit";

pub(super) fn all(frame: &mut Frame<'_>, state: &State) {
    let rows = [
        Constraint::Length(1),
        Constraint::Min(4),
        Constraint::Length(5),
        Constraint::Percentage(35),
        Constraint::Length(1),
    ];
    let [head, list, graphs, log, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Line::from(machine(state)).style(Style::new().add_modifier(Modifier::BOLD)), head);
    processes(frame, state, list);
    draw_graphs(frame, state, graphs);
    draw_log(frame, state, log);
    let text = if state.message.is_empty() { KEYS.to_owned() } else { format!("{KEYS}   {}", state.message) };
    frame.render_widget(Line::from(text).style(Style::new().fg(Color::DarkGray)), foot);
}

fn machine(state: &State) -> String {
    let Some(s) = &state.system else { return "hostler top".to_owned() };
    format!(
        "hostler top   cpu {:.0} % of {}   memory {} of {}   load {:.2}   {} of {} running",
        s.cpu.percent,
        s.cpu.cores,
        bytes(s.memory.used_bytes),
        bytes(s.memory.total_bytes),
        s.load.one,
        s.running,
        s.processes
    )
}

fn processes(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let head = ["NAME", "STATUS", "HEALTH", "PID", "UPTIME", "RESTARTS", "CPU%", "MEMORY", "WHY"];
    let widths = [
        Constraint::Min(16),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(11),
        Constraint::Fill(2),
    ];
    let table = Table::new(state.processes.iter().map(row), widths)
        .header(Row::new(head).style(Style::new().add_modifier(Modifier::DIM)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selection = TableState::default().with_selected(state.position());
    frame.render_stateful_widget(table, area, &mut selection);
}

fn row(p: &ProcessView) -> Row<'_> {
    let dash = || "-".to_owned();
    let colour = match p.status {
        Status::Running => Color::Green,
        Status::Starting | Status::Stopping | Status::Backoff => Color::Yellow,
        Status::Failed => Color::Red,
        Status::Stopped | Status::Exited => Color::DarkGray,
    };
    Row::new([
        Cell::from(p.name.as_str()),
        Cell::from(p.status.as_str()).style(Style::new().fg(colour)),
        Cell::from(p.health.clone().unwrap_or_else(dash)),
        Cell::from(p.pid.map_or_else(dash, |pid| pid.to_string())),
        Cell::from(p.uptime_ms.map_or_else(dash, duration)),
        Cell::from(p.restarts.to_string()),
        Cell::from(p.cpu_percent.map_or_else(dash, |cpu| format!("{cpu:.1}"))),
        Cell::from(p.memory_bytes.map_or_else(dash, bytes)),
        Cell::from(p.status_reason.as_deref().unwrap_or_default()),
    ])
}

fn draw_graphs(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    let (cpu, memory) = state.graphs();
    let now = |values: &[u64]| values.last().copied().unwrap_or(0);
    let cpu_title = format!("CPU {:.1} %", now(&cpu) as f64 / 10.0);
    let memory_title = format!("memory {}", bytes(now(&memory)));
    for (area, title, values, colour) in
        [(left, cpu_title, cpu, Color::Cyan), (right, memory_title, memory, Color::Magenta)]
    {
        // The newest that there is room for.
        let room = usize::from(area.width.saturating_sub(2));
        let newest = &values[values.len().saturating_sub(room)..];
        let graph = Sparkline::default()
            .block(Block::bordered().title(title))
            .data(newest)
            .style(Style::new().fg(colour));
        frame.render_widget(graph, area);
    }
}

fn draw_log(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let title = state.selected().map_or_else(|| "log".to_owned(), |p| format!("log of {}", p.name));
    let room = usize::from(area.height.saturating_sub(2));
    let newest = &state.log[state.log.len().saturating_sub(room)..];
    let lines: Vec<Line<'_>> = newest.iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    #[test]
    fn all_of_it_is_drawn_in_any_size() {
        let view = json!({"id": "p1", "name": "web", "project": "shop", "status": "failed", "restarts": 3,
            "command": "x", "generation": 1, "status_reason": "crash loop"});
        let mut state = State::default();
        state.update(vec![serde_json::from_value(view).unwrap()]);
        state.log = vec!["first".into(), "the last line".into()];
        for (width, height) in [(120, 40), (40, 12), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| all(frame, &state)).unwrap();
            let screen = terminal.backend().to_string();
            if width == 120 {
                for text in
                    ["web", "failed", "crash loop", "the last line", "q quit", "log of web", "memory 0 B"]
                {
                    assert!(screen.contains(text), "{text}: {screen}");
                }
            }
        }
    }
}

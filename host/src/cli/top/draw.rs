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
    let [head, list, graphs, log, foot] = Layout::vertical(heights(frame.area().height)).areas(frame.area());
    frame.render_widget(Line::from(machine(state)).style(Style::new().add_modifier(Modifier::BOLD)), head);
    processes(frame, state, list);
    draw_graphs(frame, state, graphs);
    draw_log(frame, state, log);
    let text = if state.message.is_empty() { KEYS.to_owned() } else { format!("{KEYS}   {}", state.message) };
    frame.render_widget(Line::from(text).style(Style::new().fg(Color::DarkGray)), foot);
}

/// Of head, list, graphs, log and foot. What there is no room for is left out; the list is there as long as anything is.
fn heights(rows: u16) -> [Constraint; 5] {
    let from = |least: u16, height: u16| Constraint::Length(if rows >= least { height } else { 0 });
    [from(6, 1), Constraint::Fill(1), from(24, 5), from(12, rows / 3), from(8, 1)]
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
    if state.processes.is_empty() {
        let hint = "no processes in this project; `hostler start NAME -- COMMAND` starts one, `top -a` shows all projects";
        frame.render_widget(Line::from(hint).style(Style::new().add_modifier(Modifier::DIM)), area);
        return;
    }
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| column.from <= area.width).collect();
    let rows = state.processes.iter().map(|p| Row::new(columns.iter().map(|column| (column.cell)(p))));
    let head = Row::new(columns.iter().map(|column| column.head));
    let table = Table::new(rows, columns.iter().map(|column| column.width))
        .header(head.style(Style::new().add_modifier(Modifier::DIM)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut selection = TableState::default().with_selected(state.position());
    frame.render_stateful_widget(table, area, &mut selection);
}

/// A column of the list, in terminals that are so wide.
struct Column {
    head: &'static str,
    width: Constraint,
    from: u16,
    cell: for<'a> fn(&'a ProcessView) -> Cell<'a>,
}

impl Column {
    const fn new(
        head: &'static str,
        width: Constraint,
        from: u16,
        cell: for<'a> fn(&'a ProcessView) -> Cell<'a>,
    ) -> Self {
        Self { head, width, from, cell }
    }
}

const COLUMNS: [Column; 9] = [
    Column::new("NAME", Constraint::Min(10), 0, |p| Cell::from(p.name.as_str())),
    Column::new("STATUS", Constraint::Length(9), 0, status),
    Column::new("HEALTH", Constraint::Length(9), 60, |p| or_dash(p.health.clone())),
    Column::new("PID", Constraint::Length(8), 70, |p| or_dash(p.pid)),
    Column::new("UPTIME", Constraint::Length(8), 80, |p| or_dash(p.uptime_ms.map(duration))),
    Column::new("RESTARTS", Constraint::Length(8), 90, |p| or_dash(Some(p.restarts))),
    Column::new("CPU%", Constraint::Length(6), 40, |p| or_dash(p.cpu_percent.map(|cpu| format!("{cpu:.1}")))),
    Column::new("MEMORY", Constraint::Length(10), 50, |p| or_dash(p.memory_bytes.map(bytes))),
    Column::new("WHY", Constraint::Fill(2), 100, |p| {
        Cell::from(p.status_reason.as_deref().unwrap_or_default())
    }),
];

fn or_dash(value: Option<impl ToString>) -> Cell<'static> {
    Cell::from(value.map_or_else(|| "-".to_owned(), |value| value.to_string()))
}

fn status(p: &ProcessView) -> Cell<'_> {
    let colour = match p.status {
        Status::Running => Color::Green,
        Status::Starting | Status::Stopping | Status::Backoff => Color::Yellow,
        Status::Failed => Color::Red,
        Status::Stopped | Status::Exited => Color::DarkGray,
    };
    Cell::from(p.status.as_str()).style(Style::new().fg(colour))
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
        for (width, height) in [(120, 40), (40, 12), (20, 4), (10, 2), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| all(frame, &state)).unwrap();
            let screen = terminal.backend().to_string();
            assert!(height < 2 || screen.contains("web"), "the list is always there: {screen}");
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

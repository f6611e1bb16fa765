//! `hostler logs -f`: one connection and one thread for each process, and what they bring is printed as it comes.

use std::sync::mpsc::{Sender, channel};

use hostler_api::logs::{LogFormat, LogRecord, LogTail, TailLogs};

use super::logs::{PAGE, Show, WHOLE_LINES};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

enum News {
    Lines(Vec<LogRecord>),
    Ended(String),
    Failed(Failure),
}

/// Goes on behind these places until interrupted, over restarts of the processes, or until all have ended.
pub(super) fn run(places: Vec<(String, String)>, show: &Show) -> Outcome {
    let mut live = places.len();
    let (news, inbox) = channel();
    for (process, cursor) in places {
        let news = news.clone();
        std::thread::spawn(move || {
            let last = follow(process, cursor, &news).unwrap_or_else(News::Failed);
            let _ = news.send(last);
        });
    }
    drop(news);
    for news in inbox {
        match news {
            News::Lines(lines) => show.print(&lines)?,
            News::Failed(failure) => return Err(failure),
            News::Ended(process) => {
                live -= 1;
                render::note(&if show.several() {
                    format!("{process} has ended")
                } else {
                    "the process has ended".to_owned()
                });
            }
        }
        if live == 0 {
            break;
        }
    }
    Ok(())
}

fn follow(process: String, mut cursor: String, news: &Sender<News>) -> Result<News, Failure> {
    let mut client = Client::connect()?;
    loop {
        let request = TailLogs {
            process: Some(process.clone()),
            lines: Some(PAGE),
            follow: true,
            cursor: Some(cursor),
            wait_ms: Some(55_000),
            format: LogFormat::Records,
            max_line_chars: Some(WHOLE_LINES),
            ..TailLogs::default()
        };
        let tail: LogTail = client.read("tail_logs", &request)?;
        let lines = tail.lines.unwrap_or_default();
        if !tail.live && lines.is_empty() {
            return Ok(News::Ended(process));
        }
        // Nobody listens any more: the command has failed elsewhere.
        if news.send(News::Lines(lines)).is_err() {
            return Ok(News::Ended(process));
        }
        cursor = tail.cursor;
    }
}

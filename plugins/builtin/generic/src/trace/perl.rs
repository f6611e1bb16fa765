//! Perl: `message at FILE line N.`, and with Carp its callers, the innermost first.

use super::{exception, frame};
use hostler_plugin::{Exception, Frame};

pub(super) fn read(text: &str) -> Vec<Exception> {
    let mut lines = text.lines().skip_while(|line| place_of(line).is_none());
    let Some((message, file, number)) = lines.next().and_then(place_of) else { return Vec::new() };
    let mut frames: Vec<Frame> = lines.map_while(caller).collect();
    if frames.is_empty() {
        frames.push(frame("", file, number, is_in_app(file)));
    }
    frames.reverse();
    vec![Exception { frames, ..exception("die", message) }]
}

/// `no such order at shop.pl line 12.`: message, file, line.
fn place_of(line: &str) -> Option<(&str, &str, Option<u32>)> {
    let end = line.rfind(" line ").filter(|at| !line[..*at].ends_with('>')).or_else(|| {
        // The line of a file that was being read comes behind the place.
        let before = line.rfind(", <")?;
        line[..before].rfind(" line ")
    })?;
    let at = line[..end].rfind(" at ")?;
    let number: String = line[end + 6..].chars().take_while(char::is_ascii_digit).collect();
    let file = &line[at + 4..end];
    let script =
        [".pl", ".pm", ".t", ".cgi", ".psgi"].iter().any(|ending| file.ends_with(ending)) || file == "-e";
    let script = script || file.starts_with("(eval ");
    (script && !number.is_empty()).then(|| (&line[..at], file, number.parse().ok()))
}

/// `\tmain::load(7) called at shop.pl line 20`
fn caller(line: &str) -> Option<Frame> {
    let (call, place) = line.trim_start().split_once(" called at ")?;
    let (file, number) = place.split_once(" line ")?;
    let function = call.split('(').next().unwrap_or(call);
    let number = number.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some(frame(function, file, number, is_in_app(file) && function != "eval {...}"))
}

fn is_in_app(file: &str) -> bool {
    !["/usr/share/perl", "/usr/lib/", "/usr/local/share/perl", "/site_perl/", "/perl5/"]
        .iter()
        .any(|part| file.contains(part))
}

//! `supervisord.conf`: the sections `[program:NAME]` and `[group:NAME]`.

use std::collections::BTreeMap;

use super::{Imported, NotImported};
use crate::draft::{Draft, literal};
use crate::shell;

/// A section: its name, its line, and its fields with theirs.
struct Section {
    name: String,
    line: usize,
    fields: BTreeMap<String, (usize, String)>,
}

/// Sections that say nothing of processes.
const OTHERS: [&str; 4] =
    ["supervisorctl", "unix_http_server", "inet_http_server", "rpcinterface:supervisor"];

pub(super) fn read(text: &str) -> Result<Imported, NotImported> {
    let mut imported = Imported::default();
    let (mut found, mut groups) = (false, Vec::new());
    for section in sections(text) {
        match section.name.split_once(':').unwrap_or((section.name.as_str(), "")) {
            ("program", name) => {
                found = true;
                Program { name, section: &section }.read(&mut imported);
            }
            ("group", name) => groups.push((name.to_owned(), section)),
            ("supervisord", _) => of_all(&section, &mut imported),
            ("include", _) => {
                let files = section.fields.get("files").map_or("", |(_, files)| files);
                let text =
                    format!("the files that [include] names are not read: import them as well ({files})");
                imported.note(section.line, text);
            }
            _ if OTHERS.contains(&section.name.as_str()) => {}
            _ => imported.note(section.line, format!("the section [{}] is not carried over", section.name)),
        }
    }
    for (name, section) in &groups {
        group(name, section, &mut imported);
    }
    if found { Ok(imported) } else { Err(NotImported("it has no section [program:NAME]".to_owned())) }
}

/// What the daemon itself has, and each program with it.
fn of_all(section: &Section, imported: &mut Imported) {
    if let Some((line, value)) = section.fields.get("environment") {
        let value = expanded(value, "supervisord", *line, imported);
        imported.file.env.extend(environment(&value));
    }
}

/// Puts the programs of a group into one.
fn group(name: &str, section: &Section, imported: &mut Imported) {
    let fields = section.fields.iter().map(|(key, (line, _))| (*line, key.as_str()));
    imported.unknown(fields, &["programs"], name);
    let programs = section.fields.get("programs").map_or("", |(_, programs)| programs);
    for program in programs.split(',').map(str::trim).filter(|program| !program.is_empty()) {
        match imported.file.processes.iter_mut().find(|draft| draft.name == program) {
            Some(draft) => draft.groups.push(name.to_owned()),
            None => {
                let text = format!("`{program}` of the group `{name}` is not there");
                imported.note(section.line, text);
            }
        }
    }
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut last: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let (line_number, content) = (at + 1, line.split(" ;").next().unwrap_or_default());
        let trimmed = content.trim();
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), line: line_number, fields: BTreeMap::new() });
            last = None;
            continue;
        }
        let Some(Section { fields, .. }) = sections.last_mut() else { continue };
        // A line that begins with a blank goes on with the value before it.
        match (content.starts_with([' ', '\t']), &last, trimmed.split_once('=')) {
            (true, Some(key), _) => {
                let (_, value) = fields.entry(key.clone()).or_insert((line_number, String::new()));
                value.push(' ');
                value.push_str(trimmed);
            }
            (_, _, Some((key, value))) => {
                let key = key.trim().to_owned();
                fields.insert(key.clone(), (line_number, value.trim().to_owned()));
                last = Some(key);
            }
            _ => {}
        }
    }
    sections
}

/// What is carried over, or has no meaning here.
const KNOWN: &[&str] = &[
    "command",
    "directory",
    "environment",
    "autostart",
    "autorestart",
    "startretries",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "redirect_stderr",
    "process_name",
    "numprocs",
    "numprocs_start",
    "serverurl",
];

/// A section `[program:NAME]`.
struct Program<'a> {
    name: &'a str,
    section: &'a Section,
}

impl Program<'_> {
    /// A value with what stands in it filled in.
    fn get(&self, key: &str, imported: &mut Imported) -> Option<String> {
        let (line, value) = self.section.fields.get(key)?;
        Some(expanded(value, self.name, *line, imported))
    }

    /// A number, where it is one.
    fn number<T: std::str::FromStr>(&self, key: &str, imported: &mut Imported) -> Option<T> {
        let (line, value) = self.section.fields.get(key)?;
        let number = value.parse().ok();
        if number.is_none() {
            let text = format!("`{key}` of `{}` is left out: {value:?} is no number", self.name);
            imported.note(*line, text);
        }
        number
    }

    fn read(&self, imported: &mut Imported) {
        let (name, section) = (self.name, self.section);
        let Some(command) = self.get("command", imported) else {
            return imported.left_out(section.line, name, "it has no command");
        };
        let mut draft = match of_line(name, &command) {
            Ok(draft) => draft,
            Err(why) => {
                let line = section.fields.get("command").map(|(line, _)| *line);
                return imported.left_out(line, name, why);
            }
        };
        // Output is always kept, so that nothing is lost of what is said of its files.
        let fields = section.fields.iter().map(|(key, (line, _))| (*line, key.as_str()));
        let fields = fields.filter(|(_, key)| !key.starts_with("stdout_") && !key.starts_with("stderr_"));
        imported.unknown(fields, KNOWN, name);
        draft.line = Some(section.line);
        draft.cwd = self.get("directory", imported);
        let environment = environment(&self.get("environment", imported).unwrap_or_default());
        draft.env = environment.into_iter().chain(draft.env).collect();
        draft.restart = Some(match self.get("autorestart", imported).as_deref() {
            Some("true") => "always",
            Some("false") => "never",
            _ => "on_failure",
        });
        draft.max_restarts = self.number("startretries", imported);
        let signal = self.get("stopsignal", imported);
        draft.stop_signal = signal.and_then(|signal| imported.signal(section.line, name, &signal));
        let seconds: Option<u64> = self.number("stopwaitsecs", imported);
        draft.grace_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
        draft.autostart = (self.get("autostart", imported).as_deref() == Some("false")).then_some(false);
        if let Some(number) = self.number::<u32>("numprocs", imported).filter(|number| *number > 1) {
            let text =
                format!("of the {number} processes of `{name}` one is started; declare others beside it");
            imported.note(section.line, text);
        }
        self.note_here(&draft, imported);
        imported.fill_in_own_values(&mut draft);
        imported.file.processes.push(draft);
    }

    /// `%(here)s` is the directory of the file, which the file calls "."; a process elsewhere calls something else so.
    fn note_here(&self, draft: &Draft, imported: &mut Imported) {
        let is_elsewhere = draft.cwd.as_deref().is_some_and(|directory| directory != ".");
        for key in ["command", "environment"] {
            let Some((line, value)) = self.section.fields.get(key) else { continue };
            if is_elsewhere && value.contains("%(here)s") {
                let text = format!(
                    "`{key}` of `{}` names the directory of the file, and becomes relative to that of the process: write the \
                     path of what `.` stands for",
                    self.name
                );
                imported.note(*line, text);
            }
        }
    }
}

/// A line that no shell reads, but that may run one.
fn of_line(name: &str, line: &str) -> Result<Draft, String> {
    let words = shell::split(line)?;
    if let Some(inner) = shell::given_to_shell(&words)
        // What the file says of variables was filled in before the shell saw it.
        && !inner.contains("${")
        && let Ok(draft) = Draft::of_shell(name, &inner.replace("$$", "$"), super::nothing)
    {
        return Ok(draft);
    }
    // A dollar sign is one, and would be refused in a line.
    match line.contains("$$") {
        true => Draft::of_words(name, words),
        false => Ok(Draft { name: name.to_owned(), command: line.to_owned(), ..Draft::default() }),
    }
}

/// With the expansions of supervisord: `%(ENV_NAME)s`, `%(program_name)s`, `%(here)s`, `%%`.
fn expanded(value: &str, program: &str, line: usize, imported: &mut Imported) -> String {
    let (mut out, mut rest) = (String::new(), value);
    while let Some(at) = rest.find('%') {
        out.push_str(&literal(&rest[..at]));
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let Some((name, format, after)) = expansion(rest) else {
            out.push('%');
            continue;
        };
        rest = after;
        match (name, name.strip_prefix("ENV_")) {
            (_, Some(variable)) => out.push_str(&format!("${{{variable}:-}}")),
            ("program_name" | "group_name", _) => out.push_str(&literal(program)),
            ("here", _) => out.push('.'),
            ("process_num", _) => out.push_str(&format!("{:0width$}", 0, width = width(format))),
            ("numprocs", _) => out.push('1'),
            ("host_node_name", _) => {
                out.push_str("${HOSTNAME:-localhost}");
                let text = format!(
                    "`%(host_node_name)s` of `{program}` became ${{HOSTNAME:-localhost}}: set HOSTNAME, or write the name"
                );
                imported.note(line, text);
            }
            _ => {
                out.push_str(&format!("%({name}){format}"));
                let text =
                    format!("nothing is known of `%({name}){format}` of `{program}`, which stays as it is");
                imported.note(line, text);
            }
        }
    }
    out + &literal(rest)
}

/// `(NAME)s` or `(NAME)02d`: the name, the format, and what comes after.
fn expansion(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.strip_prefix('(')?.split_once(')')?;
    let end = rest.find(['s', 'd'])?;
    rest[..end].bytes().all(|b| b.is_ascii_digit()).then(|| (name, &rest[..=end], &rest[end + 1..]))
}

/// The digits that a format asks for.
fn width(format: &str) -> usize {
    format.trim_end_matches(['s', 'd']).parse::<usize>().unwrap_or(0).min(9)
}

/// `A="1",B=2`
fn environment(text: &str) -> BTreeMap<String, String> {
    let (mut all, mut item, mut quote) = (BTreeMap::new(), String::new(), None);
    for c in text.chars().chain([',']) {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (',', None) => {
                if let Some((name, value)) = item.split_once('=') {
                    all.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                item.clear();
            }
            (c, _) => item.push(c),
        }
    }
    all
}

//! `{{.NAME}}`: variables of process-compose that are filled in when the file is read.

use std::collections::BTreeMap;

use super::super::Imported;
use super::super::yaml::Node;

/// What the templates of a file, or of a process, are.
#[derive(Debug, Clone, Default)]
pub(super) struct Templates {
    values: BTreeMap<String, String>,
}

impl Templates {
    /// Of `vars`.
    pub(super) fn of(vars: Option<&Node>) -> Self {
        let entries = vars.map(Node::entries).unwrap_or_default();
        let values = entries.iter().filter_map(|e| Some((e.key.clone(), e.value.text()?.to_owned())));
        Self { values: values.collect() }
    }

    /// These with those of a process.
    pub(super) fn with(&self, vars: Option<&Node>) -> Self {
        let mut all = self.clone();
        all.values.extend(Self::of(vars).values);
        all
    }

    /// With what each process has.
    pub(super) fn of_process(mut self, name: &str) -> Self {
        self.values.insert("PC_REPLICA_NUM".to_owned(), "0".to_owned());
        self.values.entry("PC_PROC_NAME".to_owned()).or_insert_with(|| name.to_owned());
        self
    }

    /// A text of `of` with them in their places.
    pub(super) fn filled(&self, text: &str, line: usize, of: &str, imported: &mut Imported) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, (inside, after))) =
            rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
        {
            out.push_str(before);
            rest = after;
            let name = inside.trim().strip_prefix('.').unwrap_or_default();
            if name == "PC_REPLICA_NUM" {
                let text = format!("`{{{{{inside}}}}}` of `{of}` became 0: there is one of it here");
                imported.note(line, text);
            }
            match self.values.get(name) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str(&format!("{{{{{inside}}}}}"));
                    let text = format!(
                        "the template `{{{{{inside}}}}}` of `{of}` stays as it is: write what it would be"
                    );
                    imported.note(line, text);
                }
            }
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_variables_are_filled_in_and_the_others_are_told() {
        let vars = super::super::super::yaml::parse("{PORT: 80, HOST: h}").unwrap();
        let templates = Templates::of(Some(&vars)).of_process("web");
        let mut imported = Imported::default();
        let text = "{{.HOST}}:{{ .PORT }}/{{.PC_PROC_NAME}}-{{.PC_REPLICA_NUM}} {{ .x | printf }} {{.open";
        let filled = templates.filled(text, 7, "web", &mut imported);
        assert_eq!(filled, "h:80/web-0 {{ .x | printf }} {{.open");
        let told: Vec<String> = imported.notes.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("line 7: `{{.PC_REPLICA_NUM}}` of `web` became 0"), "{told:?}");
        assert!(told[1].contains("`{{ .x | printf }}` of `web` stays"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}

//! What may stand in the file.

use std::collections::BTreeMap;
use std::fmt;

use hostler_api::process::{HealthArgs, LifetimeKind, LimitArgs, LogArgs, RestartArgs, SpecArgs, StopArgs};
use hostler_model::groups::{Condition, StopStrategy};
use schemars::JsonSchema;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::triggers::{ScheduleSetting, ScheduleShape, WatchSetting, WatchShape};

/// A `hostler.toml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Name of the group of all processes (default: that of the directory).
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
    /// Which of .env.PROFILE and .env.PROFILE.local are read, beside .env and .env.local.
    pub env_profile: Option<String>,
    /// Variables for ${NAME} in this file, and for every process.
    pub env: BTreeMap<String, String>,
    /// Settings of every process that does not say otherwise.
    pub defaults: Settings,
    /// Limits of every process that does not say otherwise.
    pub limits: Option<LimitArgs>,
    /// Settings to use by name.
    pub templates: BTreeMap<String, Settings>,
    /// The processes.
    #[schemars(with = "BTreeMap<String, ProcessTable>")]
    pub processes: BTreeMap<Spanned<String>, ProcessTable>,
    /// Parts of the stack that can be started and stopped by themselves.
    #[schemars(with = "BTreeMap<String, GroupTable>")]
    pub groups: BTreeMap<Spanned<String>, GroupTable>,
    /// Plugins of the project; they get no more rights than the user's configuration grants.
    #[schemars(with = "BTreeMap<String, serde_json::Map<String, serde_json::Value>>")]
    pub plugins: BTreeMap<String, toml::Table>,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// Settings of a process that templates and defaults can have as well.
        #[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        /// A process.
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct ProcessTable {
            $($(#[$doc])* pub $field: Option<$type>,)*
            /// Executable, or a command line without shell operators.
            pub command: Option<String>,
            /// Templates whose settings it has; later ones win, its own win over all.
            #[schemars(with = "Vec<String>")]
            pub extends: Vec<Spanned<String>>,
            /// What is started before it: names, or names with what they must be.
            #[schemars(with = "DependsOnShape")]
            pub depends_on: DependsOn,
            /// What those must be that are named alone (default started).
            pub condition: Option<Condition>,
            /// Wait this long after that.
            pub delay_ms: Option<u64>,
            /// Whether `up` starts it (default true).
            pub autostart: Option<bool>,
        }

        impl ProcessTable {
            /// The part of it that a template can have as well.
            #[must_use]
            pub fn settings(&self) -> Settings {
                Settings { $($field: self.$field.clone(),)* }
            }
        }

        impl Settings {
            /// These, where `over` says nothing else.
            #[must_use]
            pub fn overlaid(self, over: Self) -> Self {
                Self { $($field: Overlay::overlaid(self.$field, over.$field),)* }
            }
        }
    };
}

settings! {
    /// Arguments, added after those in `command`.
    args: Vec<String>,
    /// Working directory, relative to the file.
    cwd: String,
    /// Environment variables.
    env: BTreeMap<String, String>,
    /// Files of NAME=value lines, relative to the file.
    env_files: Vec<String>,
    /// Adds .env, .env.local, .env.PROFILE and .env.PROFILE.local of cwd.
    env_profile: String,
    /// Automatic restarts.
    restart: RestartArgs,
    /// When it is started, in place of at once: a cron expression, or a table.
    #[schemars(with = "Option<ScheduleShape>")]
    schedule: ScheduleSetting,
    /// For which files it is restarted: a glob, several, or a table.
    #[schemars(with = "Option<WatchShape>")]
    watch: WatchSetting,
    /// Health checks.
    health: Vec<HealthArgs>,
    /// Log parsing.
    log: LogArgs,
    /// Resource limits.
    limits: LimitArgs,
    /// How it is ended.
    stop: StopArgs,
    /// How long it lives.
    lifetime: LifetimeKind,
    /// Time to live of a lease.
    lease_ms: u64,
    /// Run on a pseudo terminal.
    pty: bool,
    /// Set no_new_privs.
    no_new_privs: bool,
}

impl Settings {
    /// As the arguments of a start have them: all but what starts it besides.
    #[must_use]
    pub fn into_args(self, command: Option<String>) -> SpecArgs {
        SpecArgs {
            command,
            args: self.args,
            cwd: self.cwd,
            env: self.env,
            env_files: self.env_files,
            env_profile: self.env_profile,
            group: None,
            restart: self.restart,
            health: self.health,
            log: self.log,
            limits: self.limits,
            stop: self.stop,
            lifetime: self.lifetime,
            lease_ms: self.lease_ms,
            pty: self.pty,
            no_new_privs: self.no_new_privs,
        }
    }
}

/// How a value gives way to one that is nearer to the process.
trait Overlay: Sized {
    fn over(self, over: Self) -> Self;

    fn overlaid(base: Option<Self>, over: Option<Self>) -> Option<Self> {
        match (base, over) {
            (Some(base), Some(over)) => Some(base.over(over)),
            (base, over) => over.or(base),
        }
    }
}

macro_rules! replaced {
    ($($type:ty),*) => { $(impl Overlay for $type { fn over(self, over: Self) -> Self { over } })* };
}
replaced!(
    Vec<String>,
    String,
    ScheduleSetting,
    WatchSetting,
    Vec<HealthArgs>,
    LogArgs,
    LifetimeKind,
    u64,
    bool
);

impl Overlay for BTreeMap<String, String> {
    fn over(mut self, over: Self) -> Self {
        self.extend(over);
        self
    }
}

impl Overlay for RestartArgs {
    fn over(self, over: Self) -> Self {
        Self {
            policy: over.policy.or(self.policy),
            max_restarts: over.max_restarts.or(self.max_restarts),
            window_ms: over.window_ms.or(self.window_ms),
            backoff_initial_ms: over.backoff_initial_ms.or(self.backoff_initial_ms),
            backoff_max_ms: over.backoff_max_ms.or(self.backoff_max_ms),
            cooldown_ms: over.cooldown_ms.or(self.cooldown_ms),
        }
    }
}

impl Overlay for LimitArgs {
    fn over(self, over: Self) -> Self {
        Self {
            memory_bytes: over.memory_bytes.or(self.memory_bytes),
            cpu_percent: over.cpu_percent.or(self.cpu_percent),
            open_files: over.open_files.or(self.open_files),
            processes: over.processes.or(self.processes),
        }
    }
}

impl Overlay for StopArgs {
    fn over(self, over: Self) -> Self {
        Self { signal: over.signal.or(self.signal), grace_ms: over.grace_ms.or(self.grace_ms) }
    }
}

/// A part of the stack.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupTable {
    /// What it is for.
    pub description: Option<String>,
    /// Its processes; what they depend on belongs to it as well.
    #[schemars(with = "Vec<String>")]
    pub members: Vec<Spanned<String>>,
    /// Order of a stop (default reverse: dependents first).
    pub stop_strategy: Option<StopStrategy>,
    /// Health checks of its members that say nothing else, in place of those of the defaults.
    pub health: Option<Vec<HealthArgs>>,
    /// Log parsing of its members that say nothing else, in place of that of the defaults.
    pub log: Option<LogArgs>,
}

/// What a process depends on, with what that must be where it says so.
#[derive(Debug, Clone, Default)]
pub struct DependsOn(pub Vec<(Spanned<String>, Option<Condition>)>);

/// For the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it only has a schema")]
enum DependsOnShape {
    /// Names.
    Names(Vec<String>),
    /// Names with what they must be.
    Conditions(BTreeMap<String, Condition>),
}

impl<'de> Deserialize<'de> for DependsOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesOrConditions)
    }
}

struct NamesOrConditions;

impl<'de> Visitor<'de> for NamesOrConditions {
    type Value = DependsOn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names such as [\"db\"], or names with conditions such as { db = \"ready\" }")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<DependsOn, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = names.next_element()? {
            all.push((name, None));
        }
        Ok(DependsOn(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<DependsOn, A::Error> {
        let mut all = Vec::new();
        while let Some((name, condition)) = entries.next_entry()? {
            all.push((name, Some(condition)));
        }
        Ok(DependsOn(all))
    }
}

//! The first line that a client of the daemon's socket sends: who it is and where it stands.

use serde::{Deserialize, Serialize};

/// Version of the preamble; a daemon refuses one that it does not know.
pub const PREAMBLE_VERSION: u32 = 1;

/// One line of JSON before the first MCP message. A client that sends none is taken to stand in the working
/// directory of its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preamble {
    /// [`PREAMBLE_VERSION`]. This key tells a preamble from an MCP message.
    pub hostler: u32,
    /// Absolute working directory: decides the project.
    pub cwd: String,
    /// The client's `PATH`: where the names of executables are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What sort of client, for the daemon's log: `mcp` or `cli`.
    #[serde(default)]
    pub client: String,
    /// Answer with a [`Welcome`]. The kernel accepts connections for a daemon that is just being killed; who has
    /// read this line talks to one that lives.
    #[serde(default)]
    pub welcome: bool,
    /// Which tools it wants.
    #[serde(default)]
    pub selection: Selection,
}

/// Which tools a client wants to see and may call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Families of tools, or single ones by name; all of them when there are none.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Only those that change nothing.
    #[serde(default)]
    pub read_only: bool,
}

impl Selection {
    /// Whether it is everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.tools.is_empty() && !self.read_only
    }
}

/// The daemon's answer to a preamble that asks for it: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PREAMBLE_VERSION`].
    pub hostler: u32,
    /// Version of the daemon.
    pub version: String,
    /// The selection is obeyed. A daemon of an older version knows of none.
    #[serde(default)]
    pub selected: bool,
}

impl Preamble {
    /// Reads a line as a preamble; `None` when it is something else, such as an MCP message.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

//! Builds the shim and hands it to the compiler, and lists the sources of the plugin SDK, so that one binary is all
//! there is to install.
//!
//! The shim is its own program because an upgrade must not pull a running shim's file away, and because
//! hundreds of them run at once: static, optimized for size, with `panic = "abort"` (profile `shim`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// Static linking saves each shim the relocated pages of libc; where the system has no static libc the shim
/// is linked as usual and costs some 150 KiB more.
const STATIC: &str = "-Ctarget-feature=+crt-static -Crelocation-model=static";

fn main() {
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/shim");
    for watched in ["src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", shim.join(watched).display());
    }
    let built = match build(&shim, STATIC) {
        Ok(built) => built,
        Err(reason) => {
            println!(
                "cargo::warning=the shim cannot be linked statically ({reason}); linking it dynamically"
            );
            build(&shim, "").unwrap_or_else(|reason| panic!("cannot build the shim: {reason}"))
        }
    };
    println!("cargo::rustc-env=HOSTLER_SHIM_PROGRAM={}", built.display());
    list_sdk().unwrap_or_else(|reason| panic!("cannot list the plugin SDK: {reason}"));
}

/// Writes `sdk.rs`: an array of the SDK's sources and of the interfaces, each with its path in a crate of its own.
fn list_sdk() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for (from, to, extension) in [("plugins/sdk/src", "src", "rs"), ("wit", "wit", "wit")] {
        let from = root.join(from);
        println!("cargo::rerun-if-changed={}", from.display());
        collect(&from, to, extension, &mut files)?;
    }
    files.sort();
    let mut code = String::from("[\n");
    for (name, path) in &files {
        code += &format!("    ({name:?}, include_str!({path:?})),\n");
    }
    code += "]\n";
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    std::fs::write(PathBuf::from(out).join("sdk.rs"), code)
}

fn collect(
    dir: &Path,
    name: &str,
    extension: &str,
    files: &mut Vec<(String, PathBuf)>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = format!("{name}/{}", path.file_name().unwrap_or_default().display());
        if path.is_dir() {
            collect(&path, &name, extension, files)?;
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push((name, path));
        }
    }
    Ok(())
}

fn build(shim: &Path, rustflags: &str) -> Result<PathBuf, String> {
    let target = std::env::var("TARGET").map_err(|e| e.to_string())?;
    // A target directory of its own: cargo holds the lock of the outer one while this runs.
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|e| e.to_string())?).join("shim");
    let output = Command::new(std::env::var("CARGO").map_err(|e| e.to_string())?)
        .args(["build", "--bin", "hostler-shim", "--profile", "shim", "--target", &target])
        .arg("--manifest-path")
        .arg(shim.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&out)
        .env("RUSTFLAGS", rustflags)
        // What the outer cargo decided for this build is not meant for the inner one.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(text.lines().filter(|l| l.contains("error")).collect::<Vec<_>>().join("; "));
    }
    Ok(out.join(target).join("shim/hostler-shim"))
}

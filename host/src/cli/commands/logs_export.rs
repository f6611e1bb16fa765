//! `hostler logs --export`: all lines as records, one JSON object on each line, packed by what the file is called.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hostler_api::logs::{GetLogs, LogFormat, LogPage, Order};

use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::render;

/// Where the lines go; [`Sink::finish`] writes what a packed file needs at its end.
enum Sink {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Sink {
    fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(match path.extension().and_then(|e| e.to_str()) {
            Some("gz") => Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Self::Zstd(zstd::Encoder::new(file, 3)?),
            _ => Self::Plain(file),
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(packer) => packer,
            Self::Zstd(packer) => packer,
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Gzip(packer) => packer.finish()?.flush(),
            Self::Zstd(packer) => packer.finish()?.flush(),
        }
    }
}

/// Writes all lines that pass the filters, the oldest first, page by page.
pub(super) fn run(client: &mut Client, filters: GetLogs, path: &Path) -> Outcome {
    let failed = |e: io::Error| Failure::failed(format!("cannot write {}: {e}", path.display()));
    let mut sink = Sink::create(path).map_err(failed)?;
    let mut request = GetLogs {
        order: Some(Order::Asc),
        format: LogFormat::Records,
        limit: Some(super::logs::PAGE),
        max_line_chars: Some(super::logs::WHOLE_LINES),
        ..filters
    };
    let mut count = 0_u64;
    loop {
        let page: LogPage = client.read("get_logs", &request)?;
        for line in page.lines.iter().flatten() {
            serde_json::to_writer(sink.writer(), line).map_err(io::Error::from).map_err(failed)?;
            sink.writer().write_all(b"\n").map_err(failed)?;
            count += 1;
        }
        let Some(cursor) = page.next_cursor else { break };
        request.cursor = Some(cursor);
    }
    sink.finish().map_err(failed)?;
    render::note(&format!("{count} lines written to {}", path.display()));
    Ok(())
}

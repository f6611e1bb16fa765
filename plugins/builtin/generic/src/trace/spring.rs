//! Spring Boot: why an application did not start, without a trace.

use super::exception;
use hostler_plugin::Exception;

pub(super) fn read(text: &str) -> Vec<Exception> {
    const BANNER: &str = "APPLICATION FAILED TO START";
    let mut below = text.lines().map(str::trim).skip_while(|line| *line != BANNER);
    if below.next().is_none() {
        return Vec::new();
    }
    let described = below.skip_while(|line| *line != "Description:").skip(1).find(|line| !line.is_empty());
    described.map(|line| exception(BANNER, line)).into_iter().collect()
}

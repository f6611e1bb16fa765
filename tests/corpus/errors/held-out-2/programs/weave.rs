// @SHIFT@
use std::collections::VecDeque;
use std::fmt;
// @SHIFT@
#[derive(Debug)]
enum LoomError { Thread { at: u64 }, Io(std::io::Error) }
impl fmt::Display for LoomError { fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { write!(f, "{self:?}") } }
impl std::error::Error for LoomError {}
trait Loom { fn weave(&self, n: u64) -> u64; }
struct Hand { threads: VecDeque<u64> }
impl Loom for Hand {
    fn weave(&self, n: u64) -> u64 {
        // @SHIFT@
        *self.threads.get(n as usize).expect("no such thread")
    }
}
impl Drop for Hand { fn drop(&mut self) { if self.threads.len() > 2 { 
    // @SHIFT@
    panic!("{} threads left on the loom", self.threads.len()) } } }
mod pattern {
    pub fn parse(text: &str) -> Result<u8, std::num::ParseIntError> {
        // @SHIFT@
        text.trim().parse::<u8>()
    }
    pub fn pick<T: Copy>(items: &[T], by: impl Fn(usize) -> usize) -> T {
        // @SHIFT@
        items[by(items.len())]
    }
}
fn open(n: u64) -> Result<String, LoomError> {
    // @SHIFT@
    std::fs::read_to_string(format!("/srv/loom/{n}")).map_err(LoomError::Io)
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let seed: u64 = args[2].parse()?;
    // @SHIFT@
    match args[1].as_str() {
        "dynamic" => { let loom: Box<dyn Loom> = Box::new(Hand { threads: VecDeque::new() }); loom.weave(seed); }
        "dropped" => drop(Hand { threads: (0..seed + 3).collect() }),
        "parsed" => println!("{}", pattern::parse(&format!("{}", 300 + seed)).unwrap()),
        "picked" => println!("{}", pattern::pick(&[1, 2], |n| n + seed as usize)),
        "unimplemented" => todo!("pattern {seed}"),
        "opened" => println!("{}", open(seed).unwrap()),
        "shift" => println!("{}", 1u32 << (32 + args.len() as u32 - 3 + seed as u32 % 2)),
        "sorted" => { let mut v = vec![1.0, f64::NAN, seed as f64]; v.sort_by(|a, b| a.partial_cmp(b).unwrap()); }
        "poisoned" => { let m = std::sync::Arc::new(std::sync::Mutex::new(0)); let n = m.clone(); let _ = std::thread::spawn(move || { let _g = n.lock().unwrap(); std::panic::panic_any(7) }).join(); *m.lock().unwrap() += 1; }
        _ => return Err(Box::new(LoomError::Thread { at: seed })),
    }
    Ok(())
}

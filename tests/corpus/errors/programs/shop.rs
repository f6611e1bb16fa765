// @SHIFT@
use std::collections::HashMap;

fn find(orders: &HashMap<u32, String>, id: u32) -> String {
    // @SHIFT@
    orders.get(&id).unwrap().clone()
}

fn pick(items: &[u32], at: usize) -> u32 {
    // @SHIFT@
    items[at]
}

fn read(path: &str) -> String {
    // @SHIFT@
    std::fs::read_to_string(path).expect("the configuration")
}

fn share(total: u32, parts: u32) -> u32 {
    // @SHIFT@
    total / parts
}

fn quantity(text: &str) -> u32 {
    // @SHIFT@
    text.parse().unwrap()
}

fn settle(account: u32) {
    // @SHIFT@
    panic!("account {account} is not balanced");
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let seed: u32 = args[2].parse().unwrap();
    match args[1].as_str() {
        "none" => drop(find(&HashMap::new(), seed)),
        "bounds" => drop(pick(&vec![0; (seed % 3) as usize], seed as usize + 10)),
        "missing_file" => drop(read(&format!("/nonexistent/{seed}.toml"))),
        "division" => drop(share(seed, seed - seed.min(seed))),
        "parse" => drop(quantity(&format!("{seed}kg"))),
        "explicit" => settle(seed),
        "threaded" => std::thread::spawn(move || settle(seed)).join().unwrap_or(()),
        _ => unreachable!(),
    }
}

<?php
// @SHIFT@
declare(strict_types=1);
namespace Bakery;
ini_set('display_errors', 'stderr'); ini_set('log_errors', '0'); ini_set('html_errors', '0'); error_reporting(E_ALL);
[, $fault, $seed] = $argv; $seed = (int)$seed;
$baker = ['agnes', 'boris', 'clara', 'd.ruiz', 'emil', 'fenna'][$seed % 6];

// @SHIFT@
enum Size: string { case Small = 's'; case Large = 'l'; }
class OvenException extends \RuntimeException {}
abstract class Dough {
    // @SHIFT@
    public function __construct(protected ?string $flour = null, private array $steps = []) {}
    abstract public function knead(int $minutes): static;
    // @SHIFT@
    public function step(string $name): string { return $this->steps[$name]->label; }
}
final class Rye extends Dough {
    public int $grams;
    // @SHIFT@
    public function knead(int $minutes): static { return $this->flour->sift($minutes); }
    // @SHIFT@
    public function weigh(): int { return $this->grams * 2; }
    private function hide(): void {}
    // @SHIFT@
    public function __call(string $name, array $args) { throw new \BadMethodCallException("Method {$name} does not exist"); }
}
// @SHIFT@
function through(callable $job) { global $seed; return $seed % 2 ? array_map($job, [1])[0] : $job(1); }
function shelf(iterable $loaves): \Generator { foreach ($loaves as $loaf) { if ($loaf < 0) throw new \DomainException("loaf $loaf"); yield $loaf; } }

$faults = [
    'knead' => fn() => through(fn() => (new Rye())->knead($GLOBALS['seed'])),
    'weigh' => fn() => through(fn() => (new Rye())->weigh()),
    'step' => fn() => (new Rye('r', ['rest' => $GLOBALS['seed']]))->step('bake'),
    'call' => fn() => through(fn() => (new Rye())->glaze($GLOBALS['seed'])),
    'enum' => fn() => Size::from("x$seed"),
    'wrapped' => function () use ($seed, $baker) {
        // @SHIFT@
        try {
            new \PDO('sqlite:/srv/none/' . $baker . '.db');
        } catch (\PDOException $e) {
            throw new OvenException("order $seed was not stored", 17, $e);
        }
    },
    'pdo' => function () use ($seed, $baker) {
        // @SHIFT@
        $db = new \PDO('sqlite::memory:');
        $db->exec('CREATE TABLE loaf (id INTEGER PRIMARY KEY, name TEXT UNIQUE)');
        $insert = $db->prepare('INSERT INTO loaf (name) VALUES (?)');
        $insert->execute([$baker]);
        $insert->execute([$baker]);
    },
    'shelf' => function () use ($seed) { foreach (shelf([1, 2, -$seed]) as $loaf); },
    'strict' => fn() => through(fn() => strlen($GLOBALS['seed'])),
    'value' => fn() => str_repeat('-', -$seed),
    'required' => fn() => require __DIR__ . "/config/{$baker}.php",
    'parse' => function () use ($seed) {
        // @SHIFT@
        file_put_contents(__DIR__ . '/menu.php', "<?php\n\$menu = [$seed;\n");
        require __DIR__ . '/menu.php';
    },
    'evaluated' => fn() => throw new \AssertionError("order $seed is too small"),
    'unpack' => fn() => [...new \ArrayIterator([1, 2])][$seed]->name(),
    'modulo' => fn() => $seed % ($seed - $seed),
    'clone' => function () use ($seed) { $x = Size::Small; return clone $x; },
    'fiber' => function () use ($seed) { $f = new \Fiber(fn() => $seed); $f->start(); $f->resume(); },
    'date' => fn() => new \DateTimeImmutable("{$baker} o'clock"),
    'monolog' => function () use ($seed, $baker) {
        // @SHIFT@
        try { intdiv($seed, $seed - $seed); } catch (\Error $e) {
            fwrite(STDERR, '[' . date('Y-m-d\TH:i:s.uP', 1700000000 + $seed) . '] production.ERROR: ' . $e->getMessage() . ' {"userId":' . $seed . ',"exception":"[object] (' . $e::class . '(code: ' . $e->getCode() . '): ' . $e->getMessage() . ' at ' . $e->getFile() . ':' . $e->getLine() . ")\n[stacktrace]\n" . $e->getTraceAsString() . "\n\"} \n");
        }
    },
    'guzzle' => fn() => fwrite(STDERR, '[' . date('Y-m-d H:i:s', 1700000000 + $seed) . "] flour.CRITICAL: cURL error 28: Operation timed out after " . (5000 + $seed) . " milliseconds with 0 bytes received (see https://curl.haxx.se/libcurl/c/libcurl-errors.html) for https://mill-$seed.example/api/stock [] []\n"),
    'mysql' => fn() => fwrite(STDERR, '[' . date('Y-m-d H:i:s', 1700000000 + $seed) . "] local.ERROR: SQLSTATE[HY000] [2002] Connection refused (Connection: mysql, SQL: select * from `orders` where `id` = $seed limit 1)\n"),
];
// @SHIFT@
$faults[$fault]();

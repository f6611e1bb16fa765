<?php
// @SHIFT@
namespace Mill; ini_set('display_errors', '0'); ini_set('log_errors', '1'); ini_set('html_errors', '0');
[, $fault, $seed] = $argv; $seed = (int) $seed;
// @SHIFT@
abstract class Stone { abstract function grind(); static function make(string $kind): static { return new $kind(); } }
trait Logs { function log(string ...$lines) { throw new \LogicException("log of mill {$lines[0]} is closed"); } }
class Wheel extends Stone { use Logs; public readonly int $speed; function __construct() { $this->speed = 1; }
  // @SHIFT@
  function grind() { $this->speed = 2; }
  function __get($name) { 
    // @SHIFT@
    throw new \OutOfRangeException("no part $name"); } }
$faults = [
  'readonly' => fn () => (new Wheel)->grind(),
  'missing_class' => fn () => Stone::make("Mill\\Brake"),
  'abstract' => fn () => new Stone(),
  'part' => fn () => (new Wheel)->axle,
  'closed' => fn () => (new Wheel)->log("m$seed"),
  'iterate' => fn () => array_map('Mill\grist', range(0, $seed % 4)),
  'string' => fn () => strlen([]),
  'generator' => function () use ($seed) {
    // @SHIFT@
    $rows = (function () use ($seed) { yield 1; throw new \UnexpectedValueException("row $seed is empty"); })(); foreach ($rows as $row) {} },
];
$faults[$fault]();

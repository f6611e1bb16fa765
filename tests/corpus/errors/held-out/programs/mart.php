<?php
// @SHIFT@
declare(strict_types=1);

namespace Mart;

[$_, $fault, $seed] = $argv;
$seed = (int) $seed;
$name = ['ann', 'bob', 'carla', 'dora', 'eve'][$seed % 5];
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '8M');

class StockException extends \RuntimeException {}

// @SHIFT@
final class Cart
{
    public ?Customer $customer = null;

    // @SHIFT@
    public function total(array $prices, int $count): float
    {
        return array_sum($prices) / $count;
    }

    public function greeting(): string
    {
        // @SHIFT@
        return 'hello ' . $this->customer->name();
    }

    public function add(int $quantity, string $sku): void
    {
        // @SHIFT@
        if ($quantity < 1) {
            throw new StockException("quantity $quantity of $sku cannot be added");
        }
        // @SHIFT@
        if ($quantity > 100) {
            throw new StockException("warehouse has less than $quantity pieces");
        }
    }
}

function reserve(Cart $cart, int $seed): void
{
    // @SHIFT@
    try {
        $cart->total([1.5], $seed - $seed);
    } catch (\DivisionByZeroError $error) {
        throw new StockException("cannot reserve order $seed", $seed, $error);
    }
}

function prices(array $rows): array
{
    // @SHIFT@
    return array_map(fn (array $row): int => intdiv($row['price'], 100), $rows);
}

$faults = [
    'division' => fn () => intdiv($seed, 0),
    'null_call' => fn () => (new Cart())->greeting(),
    'previous' => fn () => reserve(new Cart(), $seed),
    'quantity' => fn () => (new Cart())->add(-$seed, "SKU-$seed"),
    'stock' => fn () => (new Cart())->add(101 + $seed, "SKU-$seed"),
    'type' => fn () => prices([['price' => "$seed EUR"]]),
    'undefined' => fn () => format_price($seed),
    'memory' => function () use ($seed) {
        // @SHIFT@
        $all = [];
        while (true) {
            $all[] = str_repeat('x', 10000 + $seed);
        }
    },
    'bad_json' => fn () => json_decode("{\"name\": $name", false, 5, JSON_THROW_ON_ERROR),
    'arguments' => fn () => (new Cart())->add($seed),
    'match' => fn () => match ($name . $seed) { 'x' => 1 },
    'slow' => function () {
        // @SHIFT@
        set_time_limit(1);
        while (true) {
        }
    },
];
// @SHIFT@
$faults[$fault]();

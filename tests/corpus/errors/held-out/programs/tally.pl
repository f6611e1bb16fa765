#!/usr/bin/perl
# @SHIFT@
use strict;
use warnings;
use Carp qw(croak confess);
use JSON::PP;
our ($fault, $seed) = @ARGV;
my $name = (qw(ann bob carla dora eve))[$seed % 5];

# @SHIFT@
package Tally::Sheet;
sub new { my ($class, %args) = @_; return bless {%args}, $class; }

sub line {
    # @SHIFT@
    my ($self, $n) = @_;
    Carp::croak("sheet $main::seed has no line $n") if $n > 3;
    return $self->{lines}[$n];
}

sub sum {
    # @SHIFT@
    my ($self) = @_;
    my $sum = 0;
    $sum += $_ for @{ $self->{lines} };
    return $sum;
}

sub check {
    # @SHIFT@
    my ($self, $n) = @_;
    die "line $n of sheet $main::seed is crossed out\n" . "" if 0;
    die "tally $n does not match the count" if $n < 0;
    # @SHIFT@
    die "sheet $main::seed was signed twice" if $n > 9;
}

package main;

# @SHIFT@
sub report { return Tally::Sheet->new(lines => 'none')->sum }

my %faults = (
    croaked  => sub { Tally::Sheet->new->line(4 + $seed) },
    array    => sub { report() },
    mismatch => sub { Tally::Sheet->new->check(-$seed) },
    twice    => sub { Tally::Sheet->new->check(10 + $seed) },
    module   => sub { require Tally::Export::Excel },
    method   => sub { Tally::Sheet->new->publish($seed) },
    json     => sub { decode_json("{\"a\": $name") },
    confess  => sub { confess("no tally for $name") },
    rethrown => sub {
        # @SHIFT@
        eval { Tally::Sheet->new->check(-$seed) };
        die "cannot close day $seed: $@" if $@;
    },
    open => sub {
        # @SHIFT@
        open(my $in, '<', "/srv/tally/$seed.txt") or die "Cannot open /srv/tally/$seed.txt: $!";
    },
);
# @SHIFT@
$faults{$fault}->();

# @SHIFT@
use strict;
use warnings;
use Carp qw(confess croak);

my ($fault, $seed) = @ARGV;

sub find_order {
    # @SHIFT@
    my ($id) = @_;
    die "no order $id in the book";
}

sub charge {
    # @SHIFT@
    my ($amount) = @_;
    confess "amount $amount is not allowed";
}

sub greet {
    # @SHIFT@
    my ($user) = @_;
    return $user->name;
}

sub share {
    # @SHIFT@
    my ($total, $parts) = @_;
    return $total / $parts;
}

sub read_config {
    # @SHIFT@
    my ($file) = @_;
    open(my $handle, '<', $file) or die "cannot open $file: $!";
    return <$handle>;
}

my %faults = (
    plain => sub { find_order($seed) },
    confessed => sub { charge($seed * 3) },
    undefined => sub { greet(undef) },
    division => sub { share($seed, 0) },
    missing_file => sub { read_config("/nonexistent/$seed.conf") },
);
$faults{$fault}->();

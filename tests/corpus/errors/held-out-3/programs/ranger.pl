# @SHIFT@
use strict; use warnings; use Carp qw(croak confess cluck); use IO::Socket::INET; use POSIX qw(strftime); use Scalar::Util qw(blessed);
my ($fault, $seed) = @ARGV;
my $ranger = (qw(alma bjarne cora d.hayes eino freya))[$seed % 6];

# @SHIFT@
package Park::Error;
use overload '""' => sub { my $self = shift; "Park::Error: $self->{message} at $self->{file} line $self->{line}.\n" };
sub throw { my ($class, $message) = @_; my (undef, $file, $line) = caller; die bless { message => $message, file => $file, line => $line }, $class }
# @SHIFT@
package Park::Trail;
sub new { my ($class, %args) = @_; return bless { %args }, $class }
# @SHIFT@
sub length_of { my $self = shift; return $self->{segments}->total }
# @SHIFT@
sub walk {
    my ($self, $km) = @_;
    Carp::croak "trail of $ranger is shorter than $km km" if $km > ($self->{km} // 0);
}
# @SHIFT@
sub close_it { my $self = shift; Park::Error->throw("trail $self->{id} is closed") }
# @SHIFT@
package main;
sub through { my $job = shift; return $seed % 2 ? (map { $job->() } 1)[0] : $job->() }
my %faults = (
    segments => sub { through(sub { Park::Trail->new->length_of }) },
    walk => sub { through(sub { Park::Trail->new(km => 2)->walk(10 + $seed) }) },
    closed => sub { Park::Trail->new(id => $seed)->close_it },
    no_method => sub { Park::Trail->new->clear($seed) },
    not_code => sub { my $hook = { id => $seed }; $hook->() },
    strict_refs => sub { my $name = "trail_$ranger"; return @{$name} },
    readonly => sub { for my $x (1, 2) { $x = $seed } },
    socket => sub {
        # @SHIFT@
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 1) or die "Cannot connect to weather station $seed: $@";
    },
    bind => sub {
        # @SHIFT@
        my $one = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
        IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $one->sockport) or die "cannot listen on " . $one->sockport . ": $!\n";
    },
    alarm => sub {
        # @SHIFT@
        local $SIG{ALRM} = sub { die "timeout while waiting for ranger $ranger\n" };
        alarm 1; sleep 5;
    },
    dbi => sub {
        # @SHIFT@
        require DBI;
        my $db = DBI->connect('dbi:SQLite:dbname=:memory:', '', '', { RaiseError => 1, PrintError => 0 });
        $db->do("INSERT INTO sightings VALUES (?, ?)", undef, $seed, $ranger);
    },
    autodie => sub {
        # @SHIFT@
        use autodie; open(my $in, '<', "/srv/park/$ranger/$seed.gpx");
    },
    full => sub {
        # @SHIFT@
        open(my $out, '>', '/dev/full') or die; print $out "$ranger $seed\n"; CORE::close($out) or die "cannot write the report of $ranger: $!";
    },
    evaluated => sub { eval "my \@trails = (1, 2; $seed" or die $@ },
    environment => sub { $ENV{PARK_API_KEY} // die "PARK_API_KEY is not set in the environment\n" },
    sprintf_log => sub { printf STDERR "[%s] [error] [client 10.0.%d.%d:%d] AH01071: Got error 'Primary script unknown'\n", strftime('%a %b %d %H:%M:%S.000000 %Y', gmtime(1_700_000_000 + $seed)), $seed % 9, $seed, 40000 + $seed },
    log4perl => sub { printf "%s ERROR Park::Import - line %d of %s.csv: malformed UTF-8 character (fatal)\n", strftime('%Y/%m/%d %H:%M:%S', gmtime(1_700_000_000 + $seed)), $seed, $ranger },
    nginx => sub { printf STDERR "%s [error] %d#%d: *%d connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.%d, server: park.example, request: \"GET /trails/%d HTTP/1.1\", upstream: \"http://127.0.0.1:90%02d/trails/%d\", host: \"park.example\"\n", strftime('%Y/%m/%d %H:%M:%S', gmtime(1_700_000_000 + $seed)), $seed, $seed, $seed * 31, $seed, $seed, $seed % 100, $seed },
    nginx_slow => sub { printf STDERR "%s [error] %d#%d: *%d upstream timed out (110: Connection timed out) while reading response header from upstream, client: 10.0.0.%d, server: park.example, request: \"POST /bookings HTTP/1.1\", upstream: \"http://127.0.0.1:90%02d/bookings\", host: \"park.example\"\n", strftime('%Y/%m/%d %H:%M:%S', gmtime(1_700_000_000 + $seed)), $seed, $seed, $seed * 31, $seed, $seed % 100 },
);
# @SHIFT@
$faults{$fault}->();

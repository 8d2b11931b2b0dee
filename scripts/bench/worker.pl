# As worker.py, with Perl's OpenAPI::Client:  perl worker.pl, from the project's folder
use strict;
use warnings;
use Mojo::File qw(path);
use Mojo::JSON qw(decode_json encode_json);
use OpenAPI::Client;
use Time::HiRes qw(time);

my $gets = 200;
my %ids  = (thread_id => 'thread_abcdefghijklmnopqrstuvwx', run_id => 'run_abcdefghijklmnopqrstuvwx');
my %clients;

# It takes OpenAPI 3.0, so that is what the description becomes; the schemas of answers go, which it does not check.
my $pinned = decode_json(path('generated/openai_thread_runs_api/openapi.json')->slurp);
my %paths  = map { $_ => {get => {%{$pinned->{paths}{$_}{get}}, responses => {200 => {description => ''}}}} }
  grep { $pinned->{paths}{$_}{get} } keys %{$pinned->{paths}};
my $description = {openapi => '3.0.3', info => $pinned->{info}, paths => \%paths};

sub client { $clients{$_[0]} //= OpenAPI::Client->new($description, base_url => Mojo::URL->new($_[0])) }

sub answer {
  my ($base, $operation, %given) = @_;
  my $call = client($base)->call($operation => \%given);
  die $call->error->{message} if $call->error;
  return $call->res->json;
}

sub walk {
  my ($base, $operation, $each, %given) = @_;
  my $count = 0;
  while (1) {
    my $page = answer($base, $operation, %given, limit => 100, order => 'asc');
    for my $item (@{$page->{data}}) { $each->($item); $count++ }
    return $count unless $page->{has_more};
    $given{after} = $page->{last_id};
  }
}

sub glance { my $item = shift; return $item->{status}, $item->{usage} }

sub look {
  my $step  = shift;
  my $usage = $step->{usage};
  my $first = $step->{type} eq 'tool_calls' ? $step->{step_details}{tool_calls}[0]{id} : $step->{step_details}{message_creation}{message_id};
  return (@$step{qw(id run_id status type created_at completed_at last_error)}, @$usage{qw(prompt_tokens completion_tokens total_tokens)}, $step->{step_details}{type}, $first);
}

open my $null, '>', '/dev/null' or die $!;
my %tasks = (
  one    => sub { my $base = shift; answer($base, getRunStep => %ids, step_id => "step_$_") for 1 .. $gets; return $gets },
  steps  => sub { walk(shift, listRunSteps => \&glance, %ids) },
  runs   => sub { walk(shift, listRuns => \&glance, thread_id => $ids{thread_id}) },
  dozen  => sub { walk(shift, listRunSteps => \&look, %ids) },
  lines  => sub { walk(shift, listRunSteps => sub { print $null encode_json($_[0]), "\n" }, %ids) },
  fan_out => sub {
    my ($base, @runs) = @_;
    walk($base, listRuns => sub { push @runs, $_[0]{id} }, thread_id => $ids{thread_id});
    my $count = 0;
    $count += walk($base, listRunSteps => \&glance, %ids, run_id => $_) for @runs;
    return $count;
  },
);

$| = 1;
while (my $line = <STDIN>) {
  my ($task, @arguments) = @{decode_json($line)};
  my ($cpu, $wall) = ((times)[0] + (times)[1], time);
  my $count = $tasks{$task}->(@arguments);
  ($cpu, $wall) = ((times)[0] + (times)[1] - $cpu, time - $wall);
  open my $status, '<', '/proc/self/status' or die $!;
  my ($kib) = map { /VmHWM:\s+(\d+)/ ? $1 : () } <$status>;
  print encode_json({count => $count, cpu => $cpu, wall => $wall, mib => $kib / 1024}), "\n";
}

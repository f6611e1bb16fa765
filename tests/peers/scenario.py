"""The scenario: the same workers, deaths and looks for every supervisor."""

import os
import random
import signal
import time
from dataclasses import asdict, dataclass, field

import truth
from processes import is_alive, kill_hard, started, wait_until
from supervisors.base import Job, Trouble

INTERVAL_US = 5000
EXIT_AFTER = 800  # lines on each stream until an exiter exits: about four seconds
RECOVERY = 10.0  # seconds that a supervisor has for having every worker run again
SETTLE = 2.0  # seconds that it has in any case, for finding out about doubles
RECHECK = 1.0  # what is wrong must still be so after this, or it was a restart under way
LOOKS = 12  # at the logs, a second apart, until what is missing counts as lost
VICTIMS = 3  # workers whose helpers are killed in one round


@dataclass
class Figures:
    """What one scenario came to. `of` says out of how many."""

    kept: int = 0
    kept_of: int = 0
    doubled: set = field(default_factory=set)
    orphans: set = field(default_factory=set)
    down: set = field(default_factory=set)
    workers: int = 0
    lines: truth.Lines = field(default_factory=truth.Lines)
    codes_calm: int = 0
    codes_dead: int = 0
    codes_wrong: int = 0
    died_with_it: int = 0
    codes_of: int = 0
    run_again: int = 0
    stopped_again: int = 0
    left_calm: dict = field(default_factory=dict)
    left_after: dict = field(default_factory=dict)
    recovery_s: list = field(default_factory=list)
    longest_write_ms: float = 0
    kills: list = field(default_factory=list)

    def plain(self):
        """For JSON: sets as sorted lists."""
        named = asdict(self)
        for name in ("doubled", "down"):
            named[name] = sorted(named[name])
        named["orphans"] = sorted("/".join(map(str, key)) for key in self.orphans)
        return named


class Scenario:
    """One supervisor, one way to die. `targets`: "daemon" and kinds of helpers that are killed in one go."""

    def __init__(self, supervisor, worker, truths, targets, seed, rounds, workers, say):
        self.supervisor, self.worker, self.truths = supervisor, worker, truths
        self.targets, self.rounds, self.say = targets, rounds, say
        # The same chances for every supervisor that has the same targets.
        self.random = random.Random(f"{seed}/{'+'.join(targets)}")
        self.roles = roles(workers)
        self.codes = self.random.sample(range(2, 110), 2 * rounds + workers)
        self.figures = Figures(workers=len(self.roles))
        # By name: its job and its exit code.
        self.once = {f"{when}-{n}": self.job_once(f"{when}-{n}") for n in range(rounds) for when in ("calm", "once")}

    def play(self):
        keepers = [self.keeper(name, role) for name, role in self.roles.items()]
        calm_forker = self.keeper("forker-calm", "forker")
        self.supervisor.declare([job for job, _ in self.once.values()])
        self.supervisor.start([*keepers, calm_forker])
        if missing := self.recover([*self.roles, "forker-calm"]):
            raise Trouble(f"these workers did not start: {sorted(missing)}")
        self.figures.left_calm = self.stop_forkers("forker-calm")
        for number in range(self.rounds):
            self.round(number)
        self.figures.left_after = self.stop_forkers("forker")
        self.finish()
        return self.figures

    # ---- jobs ----

    def keeper(self, name, role):
        more = (self.codes.pop(), EXIT_AFTER) if role == "exiter" else ()
        return self.job(name, role, True, *more)

    def job(self, name, role, keep, *more):
        return Job(name, [str(self.worker), str(self.truths), name, role, str(INTERVAL_US), *map(str, more)], keep)

    def job_once(self, name):
        code = self.codes.pop()
        return self.job(name, "once", False, code), code

    def launch_once(self, name):
        job, code = self.once[name]
        self.supervisor.launch(job)
        if not wait_until(lambda: truth.living(self.truths, name), RECOVERY):
            raise Trouble(f"{name} did not start")
        return code

    def release(self, name):
        """Lets a worker that runs once come to its end; whether there was one that still could."""
        released = truth.living(self.truths, name)
        for instance in released:
            os.kill(instance.pid, signal.SIGUSR1)
            wait_until(lambda i=instance: not i.alive, RECOVERY)
        return bool(released)

    # ---- one round ----

    def round(self, number):
        figures = self.figures
        figures.codes_of += 1
        figures.codes_calm += self.exit_in_calm(f"calm-{number}")
        once = f"once-{number}"
        code = self.launch_once(once)
        before, known = self.instances_known()
        victims = self.choose(number)
        self.kill([*victims, once])
        # Its end falls somewhere into the time without a daemon or helper.
        time.sleep(self.random.uniform(0.3, 1.2))
        if not self.release(once):
            figures.died_with_it += 1
        time.sleep(self.random.uniform(0.3, 1.2))
        begin = time.monotonic()
        if "daemon" in self.targets:
            self.supervisor.revive()
        figures.down |= self.recover(self.roles)
        figures.recovery_s.append(round(time.monotonic() - begin, 2))
        time.sleep(max(0, SETTLE - (time.monotonic() - begin)))
        self.look(before, known, victims)
        self.ask_for_code(once, code)
        figures.run_again += len(truth.instances(self.truths, once)) > 1
        self.supervisor.discard(once)
        self.say(f"round {number + 1}: {self.summary()}")

    def exit_in_calm(self, name):
        """Whether the exit code of a worker is known that ends while everything lives."""
        code = self.launch_once(name)
        self.release(name)
        known = wait_until(lambda: self.supervisor.exit_code(name) == code, 5, 0.2)
        self.supervisor.discard(name)
        return known

    def instances_known(self):
        """The living instances of the workers that are to run, by key, and those that the supervisor has."""
        pids = set(self.supervisor.pids().values())
        living = {i.key: i for i in truth.living(self.truths) if i.worker in self.roles}
        # An exiter may have been restarted between the two looks.
        pids |= set(self.supervisor.pids().values())
        return living, {key for key, i in living.items() if i.pid in pids}

    def choose(self, number):
        """The workers whose supervision is hit: all by the daemon's death, some by their helpers'."""
        lasting = [name for name, role in self.roles.items() if role != "exiter"]
        if self.targets == ("daemon",):
            return lasting
        chosen = self.random.sample(lasting, min(VICTIMS, len(lasting)))
        # What becomes of descendants is to be seen at the end.
        if number == self.rounds - 1 and "forker" not in chosen:
            chosen[0] = "forker"
        return chosen

    def kill(self, victims):
        pids = [] if "daemon" not in self.targets else [("daemon", self.supervisor.daemon_pid())]
        for kind in self.targets:
            if kind != "daemon":
                pids += [(f"{kind} of {name}", self.supervisor.helper(kind, name)) for name in victims]
        starts = {pid: started(pid) for _, pid in pids if pid}
        for what, pid in pids:
            # A helper may have ended with the one that was killed before.
            if pid and is_alive(pid, starts[pid]):
                kill_hard(pid)
                self.figures.kills.append(what)
            if what == "daemon":
                self.supervisor.reap()

    def recover(self, names):
        """Waits until each worker has a living instance that the supervisor knows; those that have none."""
        missing = set(names)

        def all_back():
            pids = self.supervisor.pids()
            back = {i.worker for i in truth.living(self.truths) if pids.get(i.worker) == i.pid}
            missing.difference_update(back)
            return not missing

        wait_until(all_back, RECOVERY, 0.3)
        return missing

    def look(self, before, known_before, victims):
        living, known = self.instances_known()
        time.sleep(RECHECK)
        later, known_later = self.instances_known()
        lasting = living.keys() & later.keys()
        self.figures.orphans |= lasting - known - known_later
        several = [key[0] for key in lasting]
        self.figures.doubled |= {worker for worker in several if several.count(worker) > 1}
        hit = {key for key in known_before if before[key].worker in victims}
        self.figures.kept += len(hit & known & known_later)
        self.figures.kept_of += len(hit)

    def ask_for_code(self, name, code):
        answer = None

        def right():
            nonlocal answer
            answer = self.supervisor.exit_code(name)
            return answer == code

        if wait_until(right, 3, 0.3):
            self.figures.codes_dead += 1
        elif answer is not None:
            self.figures.codes_wrong += 1

    # ---- the end ----

    def stop_forkers(self, name):
        """By kind: how many descendants outlive the stop of their worker, and of how many."""
        time.sleep(0.5)
        descendants = [d for i in truth.instances(self.truths, name) for d in i.descendants().items()]
        self.supervisor.stop(name)

        def alive():
            return [kind for kind, who in descendants if is_alive(*who)]

        wait_until(lambda: not alive(), 3)
        left, kinds = alive(), [kind for kind, _ in descendants]
        return {kind: [left.count(kind), kinds.count(kind)] for kind in ("child", "daemon")}

    def finish(self):
        """Ends all workers, then compares every line."""
        self.figures.stopped_again = len(truth.instances(self.truths, "forker-calm")) > 1
        self.supervisor.stop(*self.roles, "forker-calm")
        self.end_rest()
        # What a supervisor still has to take in is not lost: a loss counts when it stays.
        looks = [self.compared()]
        while len(looks) < LOOKS and not looks[-1].is_whole and looks[-3:] != [looks[-1]] * 3:
            time.sleep(1)
            looks.append(self.compared())
        self.figures.lines = looks[-1]
        starts = truth.instances(self.truths)
        self.figures.longest_write_ms = round(max(i.longest_us for i in starts) / 1000, 1)
        self.supervisor.end()

    def end_rest(self):
        """Ends workers that nobody stops any more."""
        for instance in truth.living(self.truths):
            os.kill(instance.pid, signal.SIGTERM)
        wait_until(lambda: not truth.living(self.truths), 5)
        for instance in truth.living(self.truths):
            kill_hard(instance.pid)
        time.sleep(RECHECK)
        if rest := truth.living(self.truths):
            raise Trouble(f"stopped, but running: {[i.key for i in rest]}")

    def compared(self):
        starts = truth.instances(self.truths)
        result = truth.Lines()
        for worker in sorted({i.worker for i in starts}):
            own = [i for i in starts if i.worker == worker]
            truth.compare(worker, own, self.supervisor.logs(worker), result)
        return result

    def summary(self):
        f = self.figures
        return (
            f"kept {f.kept}/{f.kept_of}, doubled {len(f.doubled)}, orphans {len(f.orphans)}, down {len(f.down)}, "
            f"codes {f.codes_dead}/{f.codes_of}, recovered in {f.recovery_s[-1]:.1f} s"
        )


def roles(count):
    """By name. Of all workers a fifth does not mind a failing write and a fifth exits; one more has descendants."""
    few = max(1, count // 5)
    kinds = {"steady": max(1, count - 2 * few), "stubborn": few, "exiter": few}
    return {f"{kind}-{n}": kind for kind, many in kinds.items() for n in range(many)} | {"forker": "forker"}

"""Read damaged files with every reader; a child process of ``test_reader_fuzz.py``.

    python read_mutants.py FOLDER FIRST LAST

One line a mutant, before it is read: its number. A line more for what is neither an error that
names the file nor a right answer. At the end, the counts as JSON. A reader that takes more than 20
seconds of CPU time dies of a signal; time that other processes take does not count.
"""

import json
import os
import resource
import signal
import sys
from collections import Counter
from pathlib import Path

import readers
from damage import mutant
from originals import FILES

LONGEST = 20
"""Of one reading [s]."""
MOST_MEMORY = 200
"""That one reading may add to the greatest so far [MiB]; of a million pixels a few."""
os.environ['MMDPT_MAX_PIXELS'] = '1000000'


def try_to_read(number, folder):
    """What came of a mutant: 'error', 'answer', or what is wrong with it."""
    from mmdpt.errors import InputError

    original, data = mutant(number)
    path = folder / original.name
    path.write_bytes(data)
    try:
        getattr(readers, original.reader)(path, data, original)
    except InputError as error:
        named = path.name in str(error) or f'{folder}/' in str(error)  # what a list names
        return 'error' if named else f'an error that does not name the file: {error}'
    except readers.Wrong as wrong:
        return f'wrong: {wrong}'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return 'answer'


def main():
    folder, first, last = Path(sys.argv[1]), *map(int, sys.argv[2:])
    for name in ('a.jpg', 'a.png', 'b/c.jpg', 'b/c.png'):  # what the lists name
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    before, counts = 0, Counter()
    for number in range(first, last):
        print(number, flush=True)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        outcome = try_to_read(number, folder)
        signal.setitimer(signal.ITIMER_PROF, 0)
        kind = FILES[number % len(FILES)]
        if outcome not in ('error', 'answer'):
            print(f'{number}: {kind.name}, {kind.reader}: {outcome}', flush=True)
        counts[f'{kind.reader} {outcome.partition(":")[0]}'] += 1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        if number >= first + len(FILES):  # every reader has been imported
            if peak > before + MOST_MEMORY:
                print(f'{number}: {kind.name}: took {peak - before} MiB', flush=True)
            before = max(before, peak)
        else:
            before = peak
    print(json.dumps(counts), flush=True)


if __name__ == '__main__':
    main()

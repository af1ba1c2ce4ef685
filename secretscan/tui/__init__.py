"""The terminal application: screens over the use cases of `secretscan.api`. No rule of the field stands here.

actions.py   every action: its keys, label and sentence, in one table
app.py       the application: theme, keys, signals, how it ends
driver.py    the toolkit's terminal, which may be closed at any time
jobs.py      work in threads, and how its events reach the screen
marking.py, migration.py     what several screens share: marks and their undo; the choices of a migration
widgets/     the list, the footer, the detail, the diff
screens/     one module a screen
"""

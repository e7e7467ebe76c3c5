"""The live page of a training, and the viewer that it shares with reports.

`viewer/` has the viewer, ES modules without a build step. `messages.py` has what they draw, which
docs/viewer_messages.md describes; `recording.py` makes it of the files of a run, and `server/` sends it to pages. Only
`server/` needs the packages of `pip install 'backlight[studio]'`.
"""

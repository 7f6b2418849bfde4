"""A run as one HTML file that works without a network: curves, attention, gradients, and the model itself to be asked.

    writing.write(session, session.state, Path("report.html"))

While a run trains, `Session.watch` keeps a bounded number of its parameters (recording.py). Everything else is computed
from them when the report is written, by NumPy and apart from the run, so that training goes on to the same bytes.
"""

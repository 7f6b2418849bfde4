"""Screens of the query program: functions from answers to something rich can print, from 40 columns on.

One file for each kind of task; the parts that they share are in parts.py.
"""

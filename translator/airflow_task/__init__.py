"""The program that runs a task of Airflow in a Processing job.

It is copied into the job, beside ``task.json``, which says what to run, and the task's code. So it uses the standard
library only, imports nothing of this package but itself, and runs on Python 3.8 and later.
"""

"""For all tests, before torch is loaded."""

import os

# models here are tiny: more threads only wait for each other, and for whatever else the machine does
os.environ.setdefault("OMP_NUM_THREADS", "1")

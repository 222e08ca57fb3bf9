#!/bin/sh
PYTHONPATH=/usr/lib/maie-virtual exec /usr/bin/python3 -m maie_jetson.zram

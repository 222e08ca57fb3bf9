#!/bin/bash
# Double of l4t_flash_prerequisites.sh: its own tools need nothing but what every system has.
set -eo pipefail
echo "Reading package lists..."

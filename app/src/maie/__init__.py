"""MAIE: upload audio, get a transcript.

Every process imports this before anything else, so what libraries would tell or ask of the internet ends here. They
read these variables once, while they are imported.
"""

import os

os.environ |= {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime from 1.29 on; its disable_telemetry_events() comes too late
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}

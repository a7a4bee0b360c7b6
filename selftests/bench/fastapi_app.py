# SPDX-License-Identifier: LGPL-2.1-or-later
"""The peer of our HTTP server: the same endpoints with the same answers, as FastAPI's manual has it."""

import json
import os

from fastapi import FastAPI

app = FastAPI(openapi_url=None)
with open(os.environ["AIOPS_BENCH_STATUS"], encoding="utf-8") as file:
    STATUS = json.load(file)


@app.get("/healthz")
async def get_health():
    return {"status": "ok"}


@app.get("/v1/status")
async def get_status():
    return STATUS

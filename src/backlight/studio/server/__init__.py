"""The live server: pages of trainings that go on. Starlette, uvicorn and websockets are imported here only."""

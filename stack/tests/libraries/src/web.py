"""A FastAPI application behind Mangum, as its first page of documentation has it."""

from typing import Annotated

from fastapi import Cookie, FastAPI, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    id: str
    amount: int


@app.get("/")
def root():
    return {"hello": "world"}


@app.get("/items/{item}")
def look(
    item: str,
    request: Request,
    colour: Annotated[list[str], Query()] = [],
    session: Annotated[str | None, Cookie()] = None,
    x_token: Annotated[str | None, Header()] = None,
):
    return {"item": item, "colours": colour, "session": session, "token": x_token, "peer": request.client.host}


@app.post("/items", status_code=201)
def place(item: Item, response: Response):
    response.set_cookie("session", "1")
    response.set_cookie("basket", "2", httponly=True)
    response.headers["location"] = f"/items/{item.id}"
    return item


@app.post("/form")
async def form(request: Request):
    return {"body": (await request.body()).decode()}


@app.get("/old/items/{item}")
def old(item: str, colour: Annotated[list[str], Query()] = []):
    return {"item": item, "colours": colour}


@app.get("/picture")
def picture():
    return Response(bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x00, 0xFF]), media_type="image/png")


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="image/png")


@app.get("/moved")
def moved():
    return RedirectResponse("/items/1")


@app.delete("/items/{item}", status_code=204)
def delete(item: str):
    return None


handler = Mangum(app, lifespan="off")
staged = Mangum(app, lifespan="auto", api_gateway_base_path="/v1")

"""Powertools' resolvers: the same routes behind a REST API, an HTTP API and a function's URL."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import (
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    CORSConfig,
    LambdaFunctionUrlResolver,
    Response,
)
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import Router
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.shared.cookies import Cookie

logger = Logger()
router = Router()
PNG = bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x00, 0xFF])


@router.get("/shop/items/<item>")
def look(item: str):
    event = router.current_event
    return {
        "item": item,
        "colours": event.resolved_query_string_parameters.get("colour"),
        "last": event.query_string_parameters.get("colour") if event.query_string_parameters else None,
        "token": event.headers.get("X-Token"),
        "cookies": event.resolved_headers_field.get("cookie") or event.get("cookies"),
        "agent": event.headers.get("User-Agent"),
    }


@router.post("/shop/items")
def place():
    order = router.current_event.json_body
    cookies = [Cookie(name="session", value="1"), Cookie(name="basket", value="2", http_only=True)]
    headers = {"Location": f"/shop/items/{order['id']}", "X-Both": ["a", "b"]}
    return Response(201, "application/json", {"id": order["id"]}, headers=headers, cookies=cookies)


@router.get("/shop/picture")
def picture():
    return Response(200, "image/png", PNG)


@router.post("/shop/echo")
def echo():
    return Response(200, "image/png", router.current_event.decoded_body.encode("latin-1"))


@router.get("/shop/long", compress=True)
def long():
    return Response(200, "text/plain", "long " * 400)


@router.get("/shop/refused")
def refused():
    raise NotFoundError("no such item")


@router.get("/shop/broken")
def broken():
    raise KeyError("a bug")


def resolver(kind):
    app = kind(cors=CORSConfig(allow_origin="https://shop.example", max_age=300))
    app.include_router(router)
    return app


apps = {kind: resolver(kind) for kind in (APIGatewayRestResolver, APIGatewayHttpResolver, LambdaFunctionUrlResolver)}


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def rest(event, context):
    return apps[APIGatewayRestResolver].resolve(event, context)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def http(event, context):
    return apps[APIGatewayHttpResolver].resolve(event, context)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.LAMBDA_FUNCTION_URL)
def url(event, context):
    return apps[LambdaFunctionUrlResolver].resolve(event, context)

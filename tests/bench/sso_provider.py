# SPDX-License-Identifier: MIT
"""An identity provider at which nobody ever approves: TLS on loopback, one line "PORT" on stdout when it serves.

sso_provider.py CERTIFICATE KEY INTERVAL        prints the number of polls so far for each line on stdin
"""

import asyncio
import json
import ssl
import sys

certificate, key, interval = sys.argv[1:]
polls = 0
issuer = ""


def answer(path):
    global polls
    if path == "/.well-known/openid-configuration":
        return 200, {
            "issuer": issuer,
            "device_authorization_endpoint": issuer + "/device",
            "token_endpoint": issuer + "/token",
            "jwks_uri": issuer + "/jwks",
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }
    if path == "/jwks":
        # RFC 7515, A.3
        return 200, {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "kid": "k1",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }
            ]
        }
    if path == "/device":
        return 200, {
            "device_code": "d" * 64,
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://login.example.org/device",
            "verification_uri_complete": "https://login.example.org/device?user_code=WDJB-MJHT",
            "expires_in": 900,
            "interval": int(interval),
        }
    polls += 1
    return 400, {"error": "authorization_pending"}


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            for line in head.split("\r\n"):
                if line.lower().startswith("content-length:"):
                    await reader.readexactly(int(line.split(":")[1]))
            status, body = answer(head.split(" ")[1])
            text = json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    global issuer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    issuer = f"https://127.0.0.1:{port}"
    print(port, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(polls, flush=True)


asyncio.run(main())

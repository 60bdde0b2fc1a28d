"""Signs requests with AWS Signature Version 4. Reads a JSON array of requests from standard input and writes a JSON array of results.

A request with a method is signed in its header; the result is the field Authorization, from botocore. One without a method is a
target to sign in its query, as AWS IoT expects it: the result is an object with the signed target from botocore and the signature
from awscrt, the library on which AWS's own clients for IoT are based."""

import datetime
import json
import sys
from urllib.parse import parse_qs, quote, urlsplit

import awscrt.auth
import awscrt.http
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def time_of(request):
    return datetime.datetime.fromtimestamp(request["seconds"], datetime.timezone.utc)


def timestamp(request):
    return time_of(request).strftime("%Y%m%dT%H%M%SZ")


def prepared(request, url, token=None):
    """botocore's signer and its form of the request. The signer's add_auth would use the current time."""
    credentials = Credentials(request["accessKeyID"], request["secretAccessKey"], token)
    signer = botocore.auth.SigV4Auth(credentials, request["service"], request["region"])
    result = AWSRequest(request.get("method", "GET"), url, data=request.get("body", "").encode() or None)
    for name, value in request.get("headers", []):
        result.headers.add_header(name, value)
    result.context["timestamp"] = timestamp(request)
    return signer, result


def signature(signer, request):
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def authorization(request):
    # botocore percent-encodes the path of the URL, as the service does with the path that it receives.
    signer, result = prepared(request, f"https://{request['host']}{request['target']}")
    result.headers["X-Amz-Date"] = timestamp(request)
    signer._inject_signature_to_request(result, signature(signer, result))
    return result.headers["Authorization"]


def target(request):
    url = f"https://{request['host']}{request['target']}"
    signer, result = prepared(request, url)
    items = [("Algorithm", "AWS4-HMAC-SHA256"), ("Credential", signer.scope(result)), ("Date", timestamp(request))]
    if "validity" in request:
        items.append(("Expires", str(request["validity"])))
    items.append(("SignedHeaders", "host"))
    query = "&".join(f"X-Amz-{name}={quote(value, safe='-_.~')}" for name, value in items)
    url += ("&" if urlsplit(url).query else "?") + query
    signer, result = prepared(request, url)
    url += f"&X-Amz-Signature={signature(signer, result)}"
    if "sessionToken" in request:
        url += f"&X-Amz-Security-Token={quote(request['sessionToken'], safe='-_.~')}"
    return url.removeprefix(f"https://{request['host']}")


def crt_signature(request):
    headers = awscrt.http.HttpHeaders([("Host", request["host"])])
    config = awscrt.auth.AwsSigningConfig(
        algorithm=awscrt.auth.AwsSigningAlgorithm.V4,
        signature_type=awscrt.auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
        credentials_provider=awscrt.auth.AwsCredentialsProvider.new_static(
            request["accessKeyID"], request["secretAccessKey"], request.get("sessionToken")),
        region=request["region"],
        service=request["service"],
        date=time_of(request),
        expiration_in_seconds=request.get("validity"),
        omit_session_token=True,
    )
    signed = awscrt.auth.aws_sign_request(awscrt.http.HttpRequest("GET", request["target"], headers), config).result(60)
    return parse_qs(urlsplit(signed.path).query)["X-Amz-Signature"][0]


def result(request):
    if "method" in request:
        return authorization(request)
    return {"target": target(request), "signature": crt_signature(request)}


print(json.dumps([result(request) for request in json.load(sys.stdin)]))

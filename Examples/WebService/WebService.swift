#if Gateway
import Curlew
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// A web service that commands devices over HTTP and streams what they publish.
///
/// Run `curlew broker`, `swift run Device thermostat-7` and `swift run WebService`, then:
///
///     curl -d '{"celsius":22}' localhost:8080/devices/thermostat-7/Target.Set
///     curl -N localhost:8080/temperatures
@main
struct WebService {
    static func main() async throws {
        let logger = Logger(label: "web")
        let client = try MQTTClient(
            MQTTConfiguration(environment: MQTTConfiguration.processEnvironment), logger: logger)
        let port = Environment().get("PORT", as: Int.self) ?? 8080
        var application = Application(
            router: Self.router(client), configuration: .init(address: .hostname("127.0.0.1", port: port)),
            logger: logger)
        // Connects at start-up. At shutdown, it disconnects after the last request.
        application.addServices(client)
        do { try await application.runService() } catch let error as MQTTError { logger.error("\(error)") }
    }

    static func router(_ client: MQTTClient) -> Router<BasicRequestContext> {
        let router = Router()
        router.post("devices/:device/:method") { request, context in
            let device = try context.parameters.require("device")
            let method = try context.parameters.require("method")
            let body = try await request.body.collect(upTo: 1 << 20)
            let params: JSONValue? = body.readableBytes == 0 ? nil : try JSONValue(json: body)
            let results = client.devices([device], .jsonRPC)
            let calls: MQTTCallResults<JSONValue> =
                if let params { try results.call(method, params) } else { try results.call(method) }
            for await result in calls { return try Self.response(to: result) }
            throw HTTPError(.internalServerError)
        }
        router.get("temperatures") { _, _ in
            let readings = try await client.subscribe(to: "+/temperature")
            // Ends at shutdown, for which the server waits until its responses have ended.
            let events = readings.cancelOnGracefulShutdown().map {
                ByteBuffer(string: "event: \($0.topic)\ndata: \($0.text)\n\n")
            }
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream"], body: .init(asyncSequence: events))
        }
        return router
    }

    /// The HTTP status for an outcome.
    private static func response(to result: MQTTCallResult<JSONValue>) throws -> Response {
        switch result.outcome {
        case .answered(let answer):
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: try MQTTJSONCoder().encode(answer)))
        case .deviceError(let error): throw HTTPError(.unprocessableContent, message: "\(error)")
        case .noResponder: throw HTTPError(.notFound, message: "\(result.device) is off.")
        case .timedOut: throw HTTPError(.gatewayTimeout, message: "\(result.device) did not answer in time.")
        case .badReply(let error): throw HTTPError(.badGateway, message: error.message)
        case .notSent(let error), .cancelled(let error):
            throw HTTPError(.serviceUnavailable, message: error.message)
        }
    }
}

extension JSONValue {
    fileprivate init(json: ByteBuffer) throws {
        do { self = try MQTTJSONCoder().decode(JSONValue.self, from: json) } catch {
            throw HTTPError(.badRequest, message: "The body is not JSON.")
        }
    }
}
#else
@main
struct WebService {
    static func main() { print("The web service needs the package trait Gateway.") }
}
#endif

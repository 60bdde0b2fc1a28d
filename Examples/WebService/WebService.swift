#if Gateway
// README: web-service
import Curlew
import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

/// A web service that calls devices over HTTP and streams what they publish.
@main
struct WebService {
    static func main() async {
        let logger = Logger(label: "web")
        do {
            let client = try MQTTClient(.fromEnvironment(), logger: logger)
            try await client.connect()  // or the program ends: the broker is down, or refuses the client
            let port = Environment().get("PORT", as: Int.self) ?? 8080
            var application = Application(
                router: Self.router(client), configuration: .init(address: .hostname("127.0.0.1", port: port)),
                logger: logger)
            application.addServices(client)  // disconnects after the last request
            try await application.runService()  // until SIGINT or SIGTERM
        } catch {
            logger.error("\(error)")
            exit(1)
        }
    }

    static func router(_ client: MQTTClient) -> Router<BasicRequestContext> {
        let router = Router()
        router.post("devices/:device/:method") { request, context in
            let device = client.device(try context.parameters.require("device"), .jsonRPC)
            let method = try context.parameters.require("method")
            let params = try await request.decode(as: JSONValue.self, context: context)
            let answer = try await httpErrors { try await device.call(method, params) }
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(string: "\(answer)")))
        }
        router.get("temperatures") { _, _ in
            let readings = try await httpErrors {
                try await client.subscribe(to: "+/temperature", timeout: .seconds(5))
            }
            // Ends at the shutdown, for which the server waits until its responses have ended.
            let events = readings.cancelOnGracefulShutdown().map { reading in
                // A line break in a payload must not begin another field.
                let data = reading.text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
                return ByteBuffer(string: "event: \(reading.topic)\n\(data.map { "data: \($0)\n" }.joined())\n")
            }
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream"], body: .init(asyncSequence: events))
        }
        return router
    }

    /// Makes a call. Its errors become those of HTTP.
    private static func httpErrors<Value>(_ call: () async throws -> Value) async throws -> Value {
        do { return try await call() } catch let error as MQTTError {
            let status: HTTPResponse.Status =
                switch error.code {
                case .timedOut, .noMatchingSubscribers: .gatewayTimeout  // there is no answer
                case .requestFailed, .decodingFailed: .badGateway  // it is an error, or of another form
                case .invalidTopic: .badRequest
                default: .serviceUnavailable
                }
            throw HTTPError(status, message: error.message)
        }
    }
}
// README end
#else
@main
struct WebService {
    static func main() { print("The web service needs the package trait Gateway.") }
}
#endif

import CurlewCore
import CurlewTransport
import NIOCore

/// A call that a handler of ``MQTTClient/serve(_:_:concurrency:onSubscribed:_:)`` answers.
public struct MQTTCall: Sendable {
    /// The name of the method.
    public let method: String
    /// The device that was called.
    public let device: String
    /// The name of the caller; `nil` if the dialect has none, or the caller gave none.
    public let source: String?
    /// The message with the request.
    public let message: MQTTMessage
    /// The time at which the caller gives up, by the client's clock; `nil` if the request does not say so.
    let end: Timestamp?
    let place: MQTTDialect.Place
    let olderPlace: MQTTDialect.Place?
    let coder: any MQTTPayloadCoder

    /// Decodes the parameters. Missing parameters are `null`, and an empty object if the type needs one.
    ///
    /// - Parameter type: The type of the parameters.
    /// - Throws: ``MQTTError`` with code `decodingFailed`, which the caller gets as bad parameters.
    public func params<Params: Decodable>(as type: Params.Type = Params.self) throws(MQTTError) -> Params {
        let reader = CallReader(self.message)
        var place = self.place
        if let olderPlace, reader.probe(place) as JSONValue? == nil, reader.probe(olderPlace) as JSONValue? != nil {
            place = olderPlace
        }
        do throws(MQTTError) { return try reader.value(type, at: place, self.coder) } catch {
            // A call without parameters of a method all of whose parameters are optional.
            if reader.probe(place) as JSONValue? == nil, self.message.byteCount == 0 || place.kind != .payload,
                let empty = try? MQTTJSONCoder().decode(type, from: ByteBuffer(string: "{}"))
            {
                return empty
            }
            throw error
        }
    }
}

#if Tools
import ArgumentParser
import Curlew

/// An HTTP header field, as in `Authorization: Bearer abc`.
struct HeaderArgument: Sendable {
    let header: WebSocketSettings.Header

    static func read(_ text: String) throws -> Self {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            // The text may be a secret.
            throw ValidationError("it must have a name, a colon and a value, as in 'Cookie: session=1'")
        }
        let value = text[text.index(after: colon)...].drop { $0 == " " }
        return Self(header: .init(name: String(text[..<colon]), value: String(value)))
    }
}
#endif

#if Accounts
import CurlewCore

/// A parsed line of a password file.
enum PasswordLine: Equatable {
    /// A comment or an empty line.
    case other
    /// A user, and the text after the colon: a hash, or a plain password if the file was not upgraded yet.
    case user(ExactText, String)

    /// - Parameter lines: The lines that it belongs to, for errors.
    init(_ line: TextLines.Line, in lines: TextLines) throws(MQTTBrokerError) {
        guard let first = line.text.first, first != UInt8(ascii: "#") else {
            self = .other
            return
        }
        guard let colon = line.text.firstIndex(of: UInt8(ascii: ":")) else {
            throw lines.error(line, "there is no ':' after a user name; correct or remove the line.")
        }
        let name = String(Substring(line.text[..<colon].trimmingBlanks()))
        guard !name.isEmpty else {
            throw lines.error(line, "there is no user name before the ':'; correct or remove the line.")
        }
        let rest = line.text[line.text.index(after: colon)...]
        self = .user(ExactText(name), String(Substring(rest)))
    }

    /// The hash of a user.
    static func hash(
        _ text: String, of user: ExactText, _ line: TextLines.Line, in lines: TextLines
    ) throws(MQTTBrokerError) -> PasswordHash {
        do throws(PasswordHash.Problem) {
            return try PasswordHash(text: String(Substring(text.utf8[...].trimmingBlanks())))
        } catch {
            let what = "the password of '\(user.string.printable)' \(error.description)"
            throw lines.error(
                line,
                error == .plainText
                    ? "\(what); hash it by 'curlew passwd -U FILE'."
                    : "\(what); set it again with 'curlew passwd FILE \(user.string.printable)'.")
        }
    }
}
#endif

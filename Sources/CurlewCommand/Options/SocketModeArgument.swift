#if Tools
import ArgumentParser

/// The permissions of a file in octal, as in `660`.
struct SocketModeArgument: CheckedArgument {
    static let expectation = "three octal digits, as in 660"

    let mode: UInt16

    init?(argument: String) {
        guard let mode = UInt16(argument, radix: 8), mode <= 0o777 else { return nil }
        self.mode = mode
    }
}
#endif

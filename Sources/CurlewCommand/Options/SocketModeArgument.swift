#if Tools
import ArgumentParser

/// The permissions of a file in octal, as in `660`.
struct SocketModeArgument: CheckedArgument {
    static let expectation = "three octal digits, as in 660"

    let permissions: UInt16

    init?(argument: String) {
        guard argument.utf8.count == 3, argument.utf8.allSatisfy({ (0x30...0x37).contains($0) }),
            let permissions = UInt16(argument, radix: 8)
        else { return nil }
        self.permissions = permissions
    }
}
#endif

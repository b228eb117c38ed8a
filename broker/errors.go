package broker

import "errors"

var (
	// ErrClosed is returned by the methods of a broker after Close.
	ErrClosed = errors.New("broker: closed")
	// ErrRemoteListen is returned by Start for a listener that other machines
	// reach without encryption and authentication, unless
	// Config.AllowInsecureListeners is set.
	ErrRemoteListen = errors.New("listen address is not local")
	// ErrUnknownAddress is returned by Dial for an address that isn't the
	// broker's.
	ErrUnknownAddress = errors.New("broker: not an address of this broker")
)

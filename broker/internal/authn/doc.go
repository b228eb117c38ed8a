// Package authn finds out who a client is: the server side of SASL, and names
// made of TLS certificates.
//
// An [Authenticator] runs exchanges of the mechanisms PLAIN, SCRAM-SHA-256,
// SCRAM-SHA-512 and OAUTHBEARER. It keeps no passwords: users are stored as
// SCRAM credentials, by which PLAIN passwords are checked too. Where they are
// stored is the caller's business, and so are the frames in which tokens
// travel, and what a user may do.
package authn

package api

import "github.com/leatstream/leat/broker/internal/wire"

// schemas are the shapes of the requests, in the versions served. Produce has
// a decoder of its own, which is as careful.
var schemas = func() (m [128]*wire.Schema) {
	m[1] = wire.ParseSchema(12, "4@-14 4 4 4 1 4@7- 4@7- [ s@-12 16@13- [ 4 4@9- 8 4@12- 8@5- 4 ] ] [ s@-12 16@13- ( 4 ) ]@7- s@11-")
	m[2] = wire.ParseSchema(6, "4 1@2- [ s [ 4 4@4- 8 ] ] 4@10-")
	m[3] = wire.ParseSchema(9, "[ 16@10- s ] 1@4- 1@8-10 1@8-")
	m[8] = wire.ParseSchema(8, "s 4 s s@7- 8@2-4 [ s@-9 16@10- [ 4 8 4@6- s ] ]")
	m[9] = wire.ParseSchema(6, "s@-7 [ s ( 4 ) ]@-7 [ s s@9- 4@9- [ s@-9 16@10- ( 4 ) ] ]@8- 1@7-")
	m[10] = wire.ParseSchema(3, "s@-3 1@1- ( s )@4-")
	m[11] = wire.ParseSchema(6, "s 4 4@1- s s@5- s [ s b ] s@8-")
	m[12] = wire.ParseSchema(4, "s 4 s s@3-")
	m[13] = wire.ParseSchema(4, "s s@-2 [ s s s@5- ]@3-")
	m[14] = wire.ParseSchema(4, "s 4 s s@3- s@5- s@5- [ s b ]")
	m[15] = wire.ParseSchema(5, "( s ) 1@3-")
	m[16] = wire.ParseSchema(3, "( s )@4- ( s )@5-")
	m[18] = wire.ParseSchema(3, "s@3- s@3-")
	m[19] = wire.ParseSchema(5, "[ s 4 2 [ 4 ( 4 ) ] [ s s ] ] 4 1@1-")
	m[20] = wire.ParseSchema(4, "[ s 16 ]@6- ( s )@-5 4")
	m[21] = wire.ParseSchema(2, "[ s [ 4 8 ] ] 4")
	m[22] = wire.ParseSchema(2, "s 4 8@3- 2@3-")
	m[23] = wire.ParseSchema(4, "4@3- [ s [ 4 4@2- 4 ] ]")
	m[32] = wire.ParseSchema(4, "[ 1 s ( s ) ] 1@1- 1@3-")
	m[33] = wire.ParseSchema(2, "[ 1 s [ s s ] ] 1")
	m[35] = wire.ParseSchema(2, "[ s ( 4 ) ]")
	m[37] = wire.ParseSchema(2, "[ s 4 [ ( 4 ) ] ] 4 1")
	m[42] = wire.ParseSchema(2, "( s )")
	m[44] = wire.ParseSchema(1, "[ 1 s [ s 1 s ] ] 1")
	m[47] = wire.ParseSchema(wire.NeverFlexible, "s [ s [ 4 ] ]")
	m[60] = wire.ParseSchema(0, "1 1@1- 1@2-")
	m[61] = wire.ParseSchema(0, "[ s ( 4 ) ]")
	m[74] = wire.ParseSchema(0, "( 1 )@1-")
	m[75] = wire.ParseSchema(0, "[ s ] 4 { s 4 }")
	return m
}()

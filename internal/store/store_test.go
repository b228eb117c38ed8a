package store_test

import (
	"log/slog"
	"testing"

	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/store/storetest"
)

// small are options with which little data reaches the tables.
func small(tb testing.TB) store.Options {
	return store.Options{
		MemTableSize: 1 << 20,
		BootID:       func() string { return "boot-1" },
		Logger:       slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	}
}

func open(tb testing.TB, dir string, o store.Options) store.DB {
	tb.Helper()
	db, err := store.Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func openSmall(tb testing.TB, dir string) store.DB { return open(tb, dir, small(tb)) }

func openMem(testing.TB, string) store.DB { return store.NewMem() }

func TestMem(t *testing.T) { storetest.Run(t, openMem) }

func TestDisk(t *testing.T) {
	storetest.Run(t, openSmall)
	storetest.RunDurable(t, openSmall)
}

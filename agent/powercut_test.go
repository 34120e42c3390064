//go:build linux && powercut

package agent

// These tests need root, mkfs.ext4 and a loop device:
//
//	go test -tags powercut -run Power ./agent

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/droverhq/drover/wire"
)

// Of ext4: everything that is not on the disk is lost, the journal's tail too.
const (
	ext4Shutdown   = 0x8004587D
	withoutFlush   = 2
	imageMegabytes = "32"
)

// disk is an ext4 file system in a file, with a node that runs v1.
type disk struct {
	*crashes
	image, mounted string
}

func newDisk(c *crashes, prepared string) *disk {
	c.t.Helper()
	d := &disk{crashes: c, image: filepath.Join(c.t.TempDir(), "image"), mounted: filepath.Join(c.t.TempDir(), "mnt")}
	must(c.t, os.Mkdir(d.mounted, 0o755))
	d.do("cp", "--sparse=always", prepared, d.image)
	d.mount()
	c.t.Cleanup(func() { _ = exec.Command("umount", d.mounted).Run() })
	return d
}

func (d *disk) do(args ...string) {
	d.t.Helper()
	if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%v: %v\n%s", args, err, text)
	}
}

func (d *disk) mount()      { d.t.Helper(); d.do("mount", "-o", "loop", d.image, d.mounted) }
func (d *disk) unmount()    { d.t.Helper(); d.do("umount", d.mounted) }
func (d *disk) dir() string { return filepath.Join(d.mounted, "agent") }

// cut takes the power away and boots again.
func (d *disk) cut() {
	d.t.Helper()
	f, err := os.Open(d.mounted)
	must(d.t, err)
	must(d.t, unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, withoutFlush))
	must(d.t, f.Close())
	d.unmount()
	d.mount()
}

func TestPowerCutAtEveryStepOfAnApply(t *testing.T) {
	c := newCrashes(t)
	c.reboot = true
	prepared := filepath.Join(t.TempDir(), "prepared")
	first := &disk{crashes: c, image: prepared, mounted: filepath.Join(t.TempDir(), "first")}
	must(t, os.Mkdir(first.mounted, 0o755))
	first.do("truncate", "-s", imageMegabytes+"M", prepared)
	first.do("mkfs.ext4", "-q", prepared)
	first.mount()
	first.do("cp", "-a", c.dir, first.dir())
	first.unmount()
	undone := 0
	for k := int64(1); ; k++ {
		d := newDisk(c, prepared)
		p := child{Dir: d.dir(), URL: c.url, Kill: k}.start(t)
		l := c.peer.session()
		l.send(c.update(3, c.v1, c.v2))
		acked := false
		select {
		case m := <-l.frames:
			_, acked = m.(wire.Ack)
		case <-l.lost:
		}
		step := "after the ack"
		if acked {
			// The promise is durable the moment it is made.
			p.end()
			d.cut()
		} else {
			step = p.died()
			d.cut()
		}
		back := c.recovers(d.dir(), c.v2, 3, step)
		if back && acked {
			t.Fatalf("%s: an acknowledged update is lost", step)
		}
		if back {
			undone++
		}
		d.unmount()
		must(t, os.Remove(d.image))
		t.Logf("%d %s: back %v", k, step, back)
		if acked {
			break
		}
	}
	if undone < 15 {
		t.Fatalf("only %d cuts led back", undone)
	}
}

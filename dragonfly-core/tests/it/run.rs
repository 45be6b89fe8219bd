//! What a flow asks of its machine.

use dragonfly_core::{
    flow::{Flow, WiringError},
    queue,
    run::{RunOptions, Threads, Wait, check_cores, cores},
};

use super::flow::{Book, Scribe, numbers};

#[test]
fn a_core_that_is_not_there_stops_the_launch_before_anything_runs() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let all = flow.listen(numbers(0, 5)).via(queue::spsc(4));
    flow.serve(Scribe(book.clone(), false), all);
    let beyond = cores().last().unwrap() + 1;
    let options = RunOptions::from(Threads::One).pin([beyond]);
    let expected = check_cores(&[beyond]).unwrap_err();
    let Err(WiringError::Core(error)) = flow.launch(options) else {
        panic!("it has no core {beyond}");
    };
    assert_eq!(error, expected);
    assert_eq!(book.lines(), [""; 0]);
}

#[test]
fn threads_that_spin_on_cores_of_their_own_give_every_view() {
    for threads in [Threads::One, Threads::Shared] {
        let (book, mut flow) = (Book::default(), Flow::new());
        let all = flow.listen(numbers(0, 100)).via(queue::spsc(1));
        flow.serve(Scribe(book.clone(), false), all);
        let options = RunOptions::from(threads).wait(Wait::Spin).pin(cores());
        flow.launch(options).unwrap().join().unwrap();
        assert_eq!(book.lines().len(), 102, "{threads:?}");
    }
}

//! Trailers, with the bodies before them.

use super::*;

#[tokio::test(start_paused = true)]
async fn bodies_and_trailers_cross_whole() {
    const SIZE: usize = 4 * 1024 * 1024;
    let mut rig = rig(HttpVersion::V2);
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), "a".parse().unwrap())]);
    let sums = trailers.clone();
    let body = Full::new(Bytes::from(vec![7; SIZE])).map_err(|never| match never {});
    let sending = rig.send(request("POST", body.with_trailers(async { Some(Ok(sums)) })));
    let mut server = Server::on(rig.app().await).await;
    let (request, mut respond) = server.asked().await;
    let mut upload = request.into_body();
    let mut received = 0;
    server
        .until(async {
            while let Some(data) = upload.data().await {
                let data = data.unwrap();
                received += data.len();
                upload.flow_control().release_capacity(data.len()).unwrap();
            }
        })
        .await;
    assert_eq!(received, SIZE);
    assert_eq!(upload.trailers().await.unwrap(), Some(trailers.clone()));
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from(vec![8; SIZE]), false).unwrap();
    stream.send_trailers(trailers.clone()).unwrap();
    let collected =
        server.until(async { sending.answer().await.unwrap().into_body().collect().await.unwrap() }).await;
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(collected.to_bytes(), vec![8; SIZE]);
}

#[tokio::test(start_paused = true)]
async fn trailers_that_the_codec_refuses_break_the_request_off() {
    let mut rig = rig(HttpVersion::V2);
    let trailers = HeaderMap::from_iter([(http::header::CONNECTION, "close".parse().unwrap())]);
    let body = Full::new(Bytes::from("ok")).map_err(|never| match never {});
    let sending = rig.send(request("POST", body.with_trailers(async { Some(Ok(trailers)) })));
    let mut server = Server::on(rig.app().await).await;
    let (_asked, mut respond) = server.asked().await;
    assert_eq!(reset(&mut server, &mut respond).await, Reason::CANCEL);
    assert_eq!(sending.answer().await.err(), Some(Failure::BodyBroke));
}
